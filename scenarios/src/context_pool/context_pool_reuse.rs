//! Callers reuse contexts from a pool, as the thread recommends: a reply reaches the request that it answers.
//!
//! Upstream: nanomsg/nng#2111, whose thread ends with the advice to reuse contexts.
//! Size: up to 4 callers with 3 requests each on a pool of 1 or 2 contexts, some cancelled or timed out; 2 workers.
use crate::prelude::*;
use models::context_pool::{Plan, Style, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Callers share a pool of long-lived contexts";
    Scenario::new("context_pool_reuse", about, "nanomsg/nng#2111", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::FreeAfterSendOk, "nng_msg reaches count zero only without holders")
        .sometimes(&["a request is answered", "a reply finds no request"])
}

fn plans() -> impl Strategy<Value = Plan> {
    (plan::callers(4, 3, plan::any_request()), 1..=2_u32).prop_map(|(callers, contexts)| Plan {
        threads: Threads::NNG,
        pipes: 1,
        capacity: 2,
        server_contexts: 2,
        resend_ms: None,
        style: Style::ContextPool(contexts),
        callers,
        acts: Vec::new(),
    })
}
