//! An accepted message belongs to the library: the caller must not free it.
//!
//! Upstream: nanomsg/nng#2111 (an add-on with one context per request), #2140.
//! Size: up to 3 callers with 2 requests each, 2 workers, 2 server contexts. Small: 1 caller, 1 worker, 1 request.
use crate::prelude::*;
use models::context_pool::{Plan, Request, Style, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    Scenario::new("free_after_send", "A caller frees a message that was sent", "nanomsg/nng#2111", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::FreeAfterSendOk, "nng_msg reaches count zero only without holders")
        .loom_finds(&[Variant::FreeAfterSendOk])
        .example(Variant::FreeAfterSendOk)
        .sometimes(&["a request is answered"])
        .small(Plan::smallest())
}

fn plans() -> impl Strategy<Value = Plan> {
    plan::callers(3, 2, Just(Request::Wait)).prop_map(|callers| Plan {
        threads: Threads { timers: false, ..Threads::NNG },
        pipes: 1,
        capacity: 2,
        server_contexts: 2,
        resend_ms: None,
        style: Style::ContextPerRequest,
        callers,
        acts: Vec::new(),
    })
}
