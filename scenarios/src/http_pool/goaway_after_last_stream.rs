//! A server sends GOAWAY and keeps its socket: the client closes the connection after its last stream, and a stream
//! that the server has not seen goes over another connection.
//!
//! Upstream: golang/go#39752; `ClientConn.setGoAway` and `errClientConnGotGoAway` in golang/net http2/transport.go.
//! Size: up to 3 callers with up to 3 requests, GOAWAY after some on each connection. Small: one caller, two requests.
use crate::prelude::*;
use models::http_pool::{self, Goaway, Plan, PlannedRequest, Step, Variant, Ver};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A server that keeps its socket sends GOAWAY around the last stream";
    Scenario::new("goaway_after_last_stream", about, "golang/go#39752", plans, http_pool::run)
        .clean(Variant::Fixed)
        .violates(Variant::GoawayForgetsConnection, "socket is released by quiescence")
        .violates(Variant::GoawayStrandsStreams, "no task waits forever")
        .loom_finds(&[Variant::GoawayForgetsConnection])
        .sometimes(&[
            "GOAWAY comes to an idle connection",
            "GOAWAY comes to a connection with streams",
            "GOAWAY ends a stream that the server has not seen",
            "a connection has drained",
            "a request is answered",
        ])
        .small(Plan::of(Ver::Http2, vec![draining(1)], vec![vec![PlannedRequest::WAIT; 2]]))
}

/// Takes this many requests and answers them after a GOAWAY.
fn draining(requests: u32) -> Vec<Step> {
    vec![Step::Settings, Step::Take(requests), Step::Goaway(Goaway::NoError), Step::Answer]
}

fn plans() -> impl Strategy<Value = Plan> {
    let scripts = prop::collection::vec((0..=1_u32).prop_map(draining), 1..=3);
    let callers = http_pool::plan::callers(3, 3, Just(PlannedRequest::WAIT));
    (scripts, callers).prop_map(|(scripts, callers)| Plan::of(Ver::Http2, scripts, callers))
}
