//! A server on another host closes idle connections and connections with requests, while callers take them from the
//! pool: reads are short, connections are reset, blackholed or half-closed at any byte.
//!
//! Upstream: hyperium/hyper#2136, #1429.
//! Size: up to 3 callers with up to 3 requests over HTTP/1.1; up to 2 faults.
use crate::prelude::*;
use models::http_pool::{self, NetPlan, Plan, Step, Variant, Ver, plan};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A server closes idle connections while callers take them";
    Scenario::on_network("net_idle_close", about, "hyperium/hyper#2136", plans, http_pool::run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::ClosedHandedOut, "the pool hands out no connection that is known to be closed")
        .sometimes(&[
            "the pool finds an idle connection closed",
            "the peer closes an idle connection",
            "the peer closes a connection with a request",
            "a request fails because its connection has ended",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let closing = (1..3_usize, 0..30_u64).prop_map(|(answers, ms)| {
        let answers = [Step::Take(1), Step::Answer].repeat(answers);
        [answers, vec![Step::Pause(ms), Step::Fin]].concat()
    });
    let scripts = prop::collection::vec(closing, 1..=4);
    let callers = plan::callers(3, 3, plan::any_ask(1, 200));
    let kinds = [FaultKind::Reset, FaultKind::HalfClose, FaultKind::Blackhole, FaultKind::Stall { ms: 30 }];
    (scripts, callers, Weather::any(&kinds, 2, 200, 0)).prop_map(|(scripts, callers, weather)| NetPlan {
        weather,
        ..NetPlan::of(Plan::of(Ver::Http1, scripts, callers))
    })
}
