//! A request completes after its connection was closed: the request and its response are both released.
//!
//! Upstream: lesismal/nbio@84bf8b8, of websocket messages, and 65aa2db, of requests; the response follows from
//! OnComplete.
//! Size: up to 3 clients with 4 pipelined requests each, one of which may have `Connection: close`, or the client
//! resets; 2 workers. Small: 1 client, 2 requests.
use crate::prelude::*;
use models::buffer_pool::{Client, Ending, Plan, PlannedRequest, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let close = PlannedRequest { close: true, ..PlannedRequest::of(0, vec![]) };
    let small = Client { segment: 4, ..Client::of(vec![close, PlannedRequest::of(1, vec![])]) };
    let about = "A request is complete after its connection was closed";
    Scenario::new("request_after_close", about, "lesismal/nbio@84bf8b8", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ExecuteRefusedNoFree, "http.Request is released by quiescence")
        .violates(Variant::RefusedKeepsResponse, "Response is released by quiescence")
        .loom_finds(&[Variant::ExecuteRefusedNoFree, Variant::RefusedKeepsResponse])
        .sometimes(&[
            "a complete request finds its connection closed",
            "a connection closes with a request half parsed",
        ])
        .small(Plan { clients: vec![small], ..Plan::smallest() })
}

fn plans() -> impl Strategy<Value = Plan> {
    let steps = prop_oneof![Just(vec![]), Just(vec![Step::Read(1)])];
    let ask = (plan::any_framing(4), any::<bool>(), steps);
    let asks = prop::collection::vec(ask.prop_map(|(body, close, steps)| PlannedRequest { body, close, steps }), 2..=4);
    let ending = prop_oneof![3 => Just(Ending::Finish), 1 => (8..20_u32).prop_map(Ending::Reset)];
    plan::clients((1, 3), asks, ending).prop_map(Plan::of)
}
