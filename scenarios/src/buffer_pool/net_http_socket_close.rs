//! A client closes its socket, or a FIN closes one direction, at any point of a request: in a head, in a body, before
//! an answer or within it. The server releases all of the connection's pooled objects.
//!
//! Upstream: Parser.CloseAndClean, Conn.closeWithErrorWithoutLock; more detail in lesismal/nbio#419.
//! Size: 3 or 4 clients with up to 3 requests each, most of them abandoned; up to 2 connections half-closed by a FIN at
//! a byte; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Ending, NetPlan, Pick, Plan, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Socket close by FIN at any byte of requests and answers";
    Scenario::on_network("net_http_socket_close", about, "lesismal/nbio#419", plans, run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&[
            "a connection closes with a request half parsed",
            "a connection closes with octets cached",
            "a complete request finds its connection closed",
            "a response finds its connection closed",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ending = prop_oneof![Just(Ending::Finish), Just(Ending::Abandon), (1..30_u32).prop_map(Ending::Reset)];
    let pick = prop_oneof![Just(Pick::Lifo), Just(Pick::Any)];
    let clients = plan::clients((3, 4), plan::asks(3, plan::any_steps()), ending);
    (clients, pick, faults(6, &[FaultKind::HalfClose], 0..=2, 300)).prop_map(|(clients, pick, faults)| NetPlan {
        weather: Weather { faults, ..Weather::SHORT },
        ..NetPlan::of(Plan { pick, short: true, ..Plan::of(clients) })
    })
}
