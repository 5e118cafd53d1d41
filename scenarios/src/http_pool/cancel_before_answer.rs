//! A request is cancelled between send and answer: its connection does not return to the pool with the answer unread,
//! since the next request would read that answer as its own.
//!
//! Upstream: redis/redis-py#2624, CVE-2023-28858; hyper's dispatcher closes (proto/h1/dispatch.rs, `poll_read_head`).
//! Size: up to 3 callers with up to 3 requests, each of which may be cancelled. Small: one caller, two requests.
use crate::prelude::*;
use models::http_pool::{self, Plan, PlannedRequest, Step, Variant, Ver};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A request is cancelled between send and answer, and the next request needs its connection";
    Scenario::new("cancel_before_answer", about, "redis/redis-py#2624", plans, http_pool::run)
        .clean(Variant::Fixed)
        .violates(Variant::CancelReturnsDirty, "a payload reaches only the request it is tagged for")
        .loom_finds(&[Variant::CancelReturnsDirty])
        .sometimes(&[
            "a request is cancelled before it is sent",
            "a request is cancelled between send and answer",
            "a request is cancelled while it connects",
            "a request reuses a connection",
            "a request is answered",
        ])
        .small(Plan::of(
            Ver::Http1,
            vec![vec![Step::Settings]],
            vec![vec![PlannedRequest::CANCEL, PlannedRequest::WAIT]],
        ))
}

fn plans() -> impl Strategy<Value = Plan> {
    let ask = prop_oneof![Just(PlannedRequest::CANCEL), Just(PlannedRequest::WAIT)];
    let callers = http_pool::plan::callers(3, 3, ask);
    callers.prop_map(|callers| Plan::of(Ver::Http1, vec![vec![Step::Settings]], callers))
}
