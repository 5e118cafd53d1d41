//! Callers drop requests after a few milliseconds: while they connect, before they are sent, and between send and
//! answer. The server is slow, so that answers come late.
//!
//! Upstream: redis/redis-py#2624, CVE-2023-28858.
//! Size: up to 3 callers with up to 4 requests over HTTP/1.1, two thirds of them with a timeout.
use crate::prelude::*;
use models::http_pool::{self, Ending, NetPlan, Plan, PlannedRequest, Step, Variant, Ver, plan};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Callers drop requests while a slow server answers them";
    Scenario::on_network("net_cancelled_requests", about, "redis/redis-py#2624", plans, http_pool::run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::CancelReturnsDirty, "a payload reaches only the request it is tagged for")
        .sometimes(&[
            "a request is cancelled while it connects",
            "a request is cancelled between send and answer",
            "a request reuses a connection",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ending = prop_oneof![1 => Just(Ending::Wait), 2 => (1..20_u64).prop_map(Ending::Timeout)];
    let ask =
        (0..10_u64, ending).prop_map(|(after_ms, ending)| PlannedRequest { after_ms, ending, ..PlannedRequest::WAIT });
    let slow = (1..15_u64).prop_map(|ms| [Step::Take(1), Step::Pause(ms), Step::Answer].repeat(2));
    let scripts = prop::collection::vec(slow, 4);
    (scripts, plan::callers(3, 4, ask), any::<bool>()).prop_map(|(scripts, callers, short)| {
        let mut plan = NetPlan::of(Plan::of(Ver::Http1, scripts, callers));
        plan.weather.short = short;
        plan
    })
}
