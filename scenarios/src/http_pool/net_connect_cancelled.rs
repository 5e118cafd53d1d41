//! Requests time out while the one HTTP/2 connect of their key hangs or is slow, and others wait for it.
//!
//! Upstream: hyperium/hyper#3199.
//! Size: up to 4 callers with up to 2 requests over HTTP/2, half of them with a timeout; connects that hang or fail.
use crate::prelude::*;
use models::http_pool::{self, Ending, NetPlan, Plan, PlannedRequest, Step, Variant, Ver, plan};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A connect hangs while requests wait for it and time out";
    Scenario::on_network("net_connect_cancelled", about, "hyperium/hyper#3199", plans, http_pool::run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::WaitersLostWithConnect, "a request does not fail because another one is cancelled")
        .sometimes(&[
            "a request is cancelled while it connects",
            "a request waits for another's connect",
            "a request waits for a connect that is cancelled",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ending = prop_oneof![Just(Ending::Timeout(500)), (1..10_u64).prop_map(Ending::Timeout)];
    let ask = ending.prop_map(|ending| PlannedRequest { ending, ..PlannedRequest::WAIT });
    let weather = Weather::any(&[FaultKind::Hang, FaultKind::Refuse, FaultKind::Stall { ms: 20 }], 2, 60, 1);
    (plan::callers(4, 2, ask), weather).prop_map(|(callers, weather)| NetPlan {
        weather,
        ..NetPlan::of(Plan::of(Ver::Http2, vec![vec![Step::Settings]], callers))
    })
}
