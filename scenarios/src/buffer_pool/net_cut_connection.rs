//! Connections are blackholed, hang, or are idle for too long: only the server's deadlines, or the stop of the engine,
//! close them.
//!
//! Upstream: Conn.setDeadline, KeepaliveTime and WriteTimeout of v1.5.12.
//! Size: 3 clients with up to 3 requests each, idle for up to 3 seconds before each; up to 3 faults; keep-alive of 1 to
//! 5 seconds; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Ending, NetPlan, Plan, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Connections are blackholed, and deadlines close them";
    Scenario::on_network("net_cut_connection", about, "lesismal/nbio@v1.5.12", plans, run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&[
            "a connection times out",
            "a client times out",
            "a connection closes with a request half parsed",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ending = prop_oneof![Just(Ending::Finish), Just(Ending::Linger)];
    let clients = plan::clients((3, 3), plan::asks(3, plan::any_steps()), ending);
    let kinds = [FaultKind::Blackhole, FaultKind::Blackhole, FaultKind::Hang, FaultKind::Stall { ms: 50 }];
    let idle_ms = prop_oneof![Just(0), 1..=50_u64, 1000..=3000_u64];
    (clients, 1000..=5000_u64, idle_ms, faults(6, &kinds, 0..=3, 400)).prop_map(
        |(clients, keepalive_ms, idle_ms, faults)| NetPlan {
            weather: Weather { faults, ..Weather::SHORT },
            idle_ms,
            ..NetPlan::of(Plan { short: true, keepalive_ms: Some(keepalive_ms), ..Plan::of(clients) })
        },
    )
}
