//! A server closes a connection after its answer, while the next request takes it from the pool: a request that was not
//! sent goes over another connection, and one that was sent is not sent again.
//!
//! Upstream: hyperium/hyper#2136, #1429; hyper-util client/legacy/client.rs, `retry_canceled_requests`.
//! Size: up to 3 callers with up to 3 requests, servers that close after some. Small: one caller, two requests.
use crate::prelude::*;
use models::http_pool::{self, Plan, PlannedRequest, Step, Variant, Ver};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The server closes a pooled connection while a request takes it";
    Scenario::new("idle_reuse_races_close", about, "hyperium/hyper#2136", plans, http_pool::run)
        .clean(Variant::Fixed)
        .violates(Variant::ClosedHandedOut, "the pool hands out no connection that is known to be closed")
        .violates(Variant::UnsentNotRetried, "a request that was not sent over a pooled connection is tried again")
        .violates(Variant::SentIsRetried, "a request is carried out at most once")
        .loom_finds(&[Variant::ClosedHandedOut, Variant::UnsentNotRetried])
        .sometimes(&[
            "the pool finds an idle connection closed",
            "a request finds its pooled connection closed before it is sent",
            "the peer closes a connection with a request",
            "a request fails because its connection has ended",
            "a request is answered",
        ])
        .small(Plan::of(Ver::Http1, vec![closing(1, false)], vec![vec![PlannedRequest::WAIT; 2]]))
}

/// Answers this many requests, and closes: before the next one, or when it has taken it.
fn closing(answers: u32, takes_next: bool) -> Vec<Step> {
    let answers = [Step::Take(1), Step::Answer].repeat(answers as usize);
    let last = if takes_next { vec![Step::Take(1), Step::Fin] } else { vec![Step::Fin] };
    [answers, last].concat()
}

fn plans() -> impl Strategy<Value = Plan> {
    let script = (0..3_u32, any::<bool>()).prop_map(|(answers, takes_next)| closing(answers, takes_next));
    let scripts = prop::collection::vec(script, 1..=4);
    let callers = http_pool::plan::callers(3, 3, Just(PlannedRequest::WAIT));
    (scripts, callers).prop_map(|(scripts, callers)| Plan::of(Ver::Http1, scripts, callers))
}
