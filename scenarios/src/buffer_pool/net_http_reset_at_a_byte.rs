//! A reset hits connections at any byte of a request or of an answer, at both ends: the server releases all of the
//! connection's pooled objects, and no other connection receives its octets.
//!
//! Upstream: Conn.closeWithErrorWithoutLock, Parser.CloseAndClean; lesismal/nbio@84bf8b8 and 65aa2db. That the response
//! of a refused request is dropped follows from OnComplete; not reported. Size: 3 or 4 clients with up to 4 pipelined
//! requests each, some with `Connection: close`, on up to 2 connections; up to 4 resets; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Ending, NetPlan, Plan, PlannedRequest, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A reset at any byte of requests and answers";
    Scenario::on_network("net_http_reset_at_a_byte", about, "lesismal/nbio@84bf8b8", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::ExecuteRefusedNoFree, "http.Request is released by quiescence")
        .violates(Variant::RefusedKeepsResponse, "Response is released by quiescence")
        .sometimes(&[
            "the server's connection is reset",
            "a connection closes with a request half parsed",
            "a complete request finds its connection closed",
            "a response finds its connection closed",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let steps = prop_oneof![plan::any_steps(), Just(vec![])];
    let ask = (plan::any_framing(4), prop::bool::weighted(0.2), steps);
    let asks = prop::collection::vec(ask.prop_map(|(body, close, steps)| PlannedRequest { body, close, steps }), 2..=4);
    let clients = plan::clients((3, 4), asks, Just(Ending::Finish)).prop_map(|mut clients| {
        clients.iter_mut().for_each(|client| (client.pipelined, client.segment) = (true, 24));
        clients
    });
    (clients, faults(6, &[FaultKind::Reset], 0..=4, 600)).prop_map(|(clients, faults)| NetPlan {
        weather: Weather { faults, ..Weather::SHORT },
        ..NetPlan::of(Plan { short: true, ..Plan::of(clients) })
    })
}
