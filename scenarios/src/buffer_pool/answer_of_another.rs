//! One client's message is in the answer to another: the visible effect of a body that was closed twice.
//!
//! Upstream: lesismal/nbio#453, about once a week in production; explained by #445.
//! Size: 2 to 4 clients with up to 3 requests each, some of whose handlers close; the ledger does not follow the pools;
//! 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Audit, Ending, Plan, Step, Variant, plan, run};

/// Longer than the clock may run ahead, so that keep-alive ends only connections that have no other end.
const KEEPALIVE_MS: u64 = 200_000;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "One client's message ends up in the answer to another";
    Scenario::new("answer_of_another", about, "lesismal/nbio#453", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ClosePuts, "a payload reaches only the request it is tagged for")
        .sometimes(&["a body is echoed to its end", "a chunk is appended to the buffer of another chunk"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let steps = prop_oneof![Just(vec![Step::ReadAll, Step::Close]), Just(vec![Step::ReadAll])];
    plan::clients((2, 4), plan::asks(3, steps), Just(Ending::Finish)).prop_map(|clients| Plan {
        audit: Audit::Bytes,
        keepalive_ms: Some(KEEPALIVE_MS),
        ..Plan::of(clients)
    })
}
