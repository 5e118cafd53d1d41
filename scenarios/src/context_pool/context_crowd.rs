//! The reported load: many threads, each with a context per request, on one socket.
//!
//! Upstream: nanomsg/nng#2111.
//! Size: 16 callers with 4 requests each, 64 contexts in all, over 4 connections; 8 server contexts; 4 workers.
use crate::prelude::*;
use models::context_pool::{Plan, Style, Threads, Variant, plan, run};

const CALLERS: usize = 16;
const REQUESTS: usize = 4;
/// A request takes about 700 steps from open to close.
const STEPS_MAX: u32 = 200_000;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Sixteen callers open and close 64 contexts";
    Scenario::new("context_crowd", about, "nanomsg/nng#2111", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::FreeAfterSendOk, "nng_msg reaches count zero only without holders")
        .steps_max(STEPS_MAX)
        .sometimes(&["a request is answered", "a reply waits for its pipe to be free"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let requests = prop::collection::vec(plan::any_request(), REQUESTS);
    prop::collection::vec(requests, CALLERS).prop_map(|callers| Plan {
        threads: Threads { workers: 4, ..Threads::NNG },
        pipes: 4,
        capacity: 1,
        server_contexts: 8,
        resend_ms: None,
        style: Style::ContextPerRequest,
        callers,
        acts: Vec::new(),
    })
}
