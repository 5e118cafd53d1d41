//! A connection is returned to the pool while the request that waits for it is cancelled: it goes to the next one, or
//! stays in the pool.
//!
//! Upstream: hyper-util client/legacy/pool.rs, `PoolInner::put`: the receiver may go between `is_canceled` and `send`.
//! Size: 2 or 3 callers with up to 3 requests over HTTP/1.1, some of them cancelled.
use crate::prelude::*;
use models::http_pool::{self, Plan, PlannedRequest, Step, Variant, Ver};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A waiting request is cancelled while the pool hands it a connection";
    Scenario::new("waiter_cancelled_when_handed", about, "hyperium/hyper-util pool.rs", plans, http_pool::run)
        .clean(Variant::Fixed)
        .violates(Variant::HandedToCancelled, "SendRequest is released by quiescence")
        .sometimes(&[
            "a waiter is cancelled while it is handed a connection",
            "a connect continues for the pool",
            "a request reuses a connection",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let first = prop::collection::vec(Just(PlannedRequest::WAIT), 1..=3);
    let others = prop::collection::vec(
        http_pool::plan::callers(1, 2, prop_oneof![Just(PlannedRequest::CANCEL), Just(PlannedRequest::WAIT)]),
        1..=2,
    );
    (first, others).prop_map(|(first, others)| {
        let callers = std::iter::once(first).chain(others.into_iter().flatten()).collect();
        Plan::of(Ver::Http1, vec![vec![Step::Settings]], callers)
    })
}
