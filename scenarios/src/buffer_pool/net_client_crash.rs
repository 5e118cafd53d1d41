//! Clients' hosts crash and restart, links are partitioned or held, connections are idle: the server releases a
//! client's partial request, and the restarted client is answered over a new connection.
//!
//! Upstream: Parser.CloseAndClean, KeepaliveTime and WriteTimeout of v1.5.12.
//! Size: 3 or 4 clients with up to 3 requests each, idle for up to 40 ms before each; up to 6 events of hosts, and 2 of
//! links; keep-alive of 0.1 to 1 second; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Ending, NetPlan, Plan, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Hosts of clients crash and restart, and links break";
    Scenario::on_network("net_client_crash", about, "lesismal/nbio@v1.5.12", plans, run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&[
            "a client restarts after a crash of its host",
            "a connection times out",
            "a client times out",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let event = prop_oneof![2 => (0..4_usize).prop_map(Event::Crash), 3 => (0..4_usize).prop_map(Event::Restart)];
    let event = (1..30_u64, event).prop_map(|(ms, event)| vec![Event::Pause(ms), event]);
    let events = prop::collection::vec(event, 1..=6).prop_map(|events| events.concat());
    let links = [40, 400].map(|ms| [FaultKind::Partition { ms }, FaultKind::Hold { ms }]);
    let faults = faults(6, &links.concat(), 0..=2, 400);
    let ending = prop_oneof![3 => Just(Ending::Finish), 1 => Just(Ending::Linger)];
    let clients = plan::clients((3, 4), plan::asks(3, plan::any_steps()), ending);
    let idle_ms = prop_oneof![Just(0), 1..=40_u64];
    (clients, events, faults, idle_ms, 100..=1000_u64).prop_map(|(clients, events, faults, idle_ms, keepalive)| {
        NetPlan {
            weather: Weather { events, faults, ..Weather::SHORT },
            idle_ms,
            ..NetPlan::of(Plan { short: true, keepalive_ms: Some(keepalive), ..Plan::of(clients) })
        }
    })
}
