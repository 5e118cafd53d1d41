//! A descriptor is closed and given to the next client on the network while its first owner is about to read from it.
//!
//! Upstream: lesismal/nbio#189, the reason for the lock in Conn.Read; #144.
//! Size: 4 clients with 1 or 2 requests on each of 3 connections, closed by the server after one of them; 2 pollers,
//! 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Client, Ending, NetPlan, Plan, PlannedRequest, Step, Threads, Variant, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A descriptor is reused for the next client on the network just before its former owner reads";
    Scenario::on_network("net_descriptor_reused", about, "lesismal/nbio#189", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::FdReuseNoLock, "a payload reaches only the request it is tagged for")
        .sometimes(&["a read finds its connection closed", "a request is answered"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ask = |close: bool| PlannedRequest { close, ..PlannedRequest::of(0, vec![Step::ReadAll]) };
    let asks = prop_oneof![Just(vec![ask(true), ask(false)]), Just(vec![ask(true)]), Just(vec![ask(false), ask(true)])];
    let client = (asks, prop_oneof![Just(Ending::Finish), Just(Ending::Abandon)]);
    let client = client.prop_map(|(asks, ending)| Client { visits: 3, ending, ..Client::of(asks) });
    prop::collection::vec(client, 4..=4).prop_map(|clients| {
        let threads = Threads { pollers: 2, ..Threads::NBIO };
        NetPlan {
            weather: Weather { latency_ms: (1, 1), ..Weather::FAIR },
            ..NetPlan::of(Plan { threads, ..Plan::of(clients) })
        }
    })
}
