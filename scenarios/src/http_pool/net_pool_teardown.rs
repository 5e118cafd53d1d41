//! Every fault of a connection, and crashes, partitions and holds of its server, over either version: every request
//! ends, and nothing is left when the client is dropped.
//!
//! Upstream: hyper-util client/legacy/pool.rs.
//! Size: up to 3 callers with up to 3 requests; up to 3 faults; up to 2 outages.
use crate::prelude::*;
use models::http_pool::{self, Goaway, NetPlan, Plan, PlannedRequest, Step, Variant, Ver, plan};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Every fault of connections, link and server";
    Scenario::on_network("net_pool_teardown", about, "hyperium/hyper-util pool.rs", plans, http_pool::run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&[
            "the peer closes an idle connection",
            "a request is cancelled while it connects",
            "a request is cancelled between send and answer",
            "a request is tried again",
            "a request fails because its connection has ended",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let kinds = [
        FaultKind::Reset,
        FaultKind::HalfClose,
        FaultKind::Blackhole,
        FaultKind::Stall { ms: 30 },
        FaultKind::Partition { ms: 50 },
        FaultKind::Hold { ms: 50 },
        FaultKind::Refuse,
        FaultKind::Hang,
    ];
    let step = prop_oneof![
        2 => Just(Step::Answer),
        2 => (1..40_u64).prop_map(Step::Pause),
        1 => Just(Step::Goaway(Goaway::NoError)),
        1 => Just(Step::Fin),
    ];
    let script = prop::collection::vec(step, 0..=3).prop_map(|steps| [vec![Step::Settings], steps].concat());
    let ver = prop_oneof![Just(Ver::Http1), Just(Ver::Http2)];
    let ask = plan::any_ask(1, 200).prop_map(PlannedRequest::within_a_second);
    let load = (ver, prop::collection::vec(script, 0..=3), plan::callers(3, 3, ask));
    (load, Weather::any(&kinds, 3, 300, 2), 0..20_u64).prop_map(|((ver, scripts, callers), weather, accept_ms)| {
        NetPlan { weather, accept_ms, ..NetPlan::of(Plan::of(ver, scripts, callers)) }
    })
}
