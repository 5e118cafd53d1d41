//! Requests wait for the one HTTP/2 connect of their key, and the request that started the connect is cancelled: the
//! waiting requests still get a connection, and so does every later request.
//!
//! Upstream: hyperium/hyper#3199; Go's `shouldRetryDial` in http2/client_conn_pool.go.
//! Size: up to 4 callers with up to 2 requests, some cancelled; slow connects. Small: two callers, one cancelled.
use crate::prelude::*;
use models::http_pool::{self, Plan, PlannedRequest, Step, Variant, Ver};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A request is cancelled while other requests wait for its connect";
    Scenario::new("connect_cancelled_with_waiters", about, "hyperium/hyper#3199", plans, http_pool::run)
        .clean(Variant::Fixed)
        .violates(Variant::WaitersLostWithConnect, "a request does not fail because another one is cancelled")
        .violates(Variant::ConnectingKept, "no task waits forever")
        .loom_finds(&[Variant::WaitersLostWithConnect])
        .sometimes(&[
            "a request is cancelled while it connects",
            "a request waits for another's connect",
            "a request waits for a connect that is cancelled",
            "a request is tried again",
            "a request is answered",
        ])
        .small(Plan::of(
            Ver::Http2,
            vec![vec![Step::Settings]],
            vec![vec![PlannedRequest::CANCEL], vec![PlannedRequest::WAIT]],
        ))
}

fn plans() -> impl Strategy<Value = Plan> {
    let ask = prop_oneof![1 => Just(PlannedRequest::CANCEL), 2 => Just(PlannedRequest::WAIT)];
    let callers = http_pool::plan::callers(4, 2, ask);
    callers.prop_map(|callers| Plan::of(Ver::Http2, vec![vec![Step::Settings]], callers))
}
