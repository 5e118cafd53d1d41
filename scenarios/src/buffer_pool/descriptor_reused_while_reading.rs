//! A descriptor is closed and given to the next connection while its first owner is about to read from it.
//!
//! Upstream: lesismal/nbio#189, the reason for the lock in Conn.Read; #144.
//! Size: 2 to 4 clients with 2 requests each, closed by the server after one of them; 2 pollers, 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Ending, Plan, PlannedRequest, Step, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A descriptor is reused just before its former owner reads from it";
    Scenario::new("descriptor_reused_while_reading", about, "lesismal/nbio#189", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::FdReuseNoLock, "a payload reaches only the request it is tagged for")
        .sometimes(&["a read finds its connection closed", "a request is answered"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let ask = |close: bool| PlannedRequest { close, ..PlannedRequest::of(1, vec![Step::ReadAll]) };
    let asks = prop_oneof![Just(vec![ask(true), ask(false)]), Just(vec![ask(true)]), Just(vec![ask(false), ask(true)])];
    plan::clients((2, 4), asks, Just(Ending::Linger))
        .prop_map(|clients| Plan { threads: Threads { pollers: 2, ..Threads::NBIO }, ..Plan::of(clients) })
}
