//! A message whose send failed belongs to the caller again, and the caller frees it.
//!
//! Upstream: nanomsg/nng#2140 and the manual page of nng_ctx_send: on failure the message is on the aio, for the caller
//! to dispose of. The fixed variant is a negative control: freeing after a failed send is right. Size: up to 3 callers
//! with 2 requests each, 2 workers; no peer, so that every send fails in its own way.
use crate::prelude::*;
use models::context_pool::{Plan, Request, Style, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A caller frees or forgets a message whose send failed";
    Scenario::new("failed_send_is_freed", about, "nanomsg/nng#2140", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::NoFreeOnSendFail, "nng_msg is released by quiescence")
        .sometimes(&["a context is closed while its send is queued"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let request = prop_oneof![Just(Request::Cancel), Just(Request::Abandon), (0_u64..30).prop_map(Request::Timeout)];
    plan::callers(3, 2, request).prop_map(|callers| Plan {
        threads: Threads::NNG,
        pipes: 0,
        capacity: 0,
        server_contexts: 0,
        resend_ms: None,
        style: Style::ContextPerRequest,
        callers,
        acts: Vec::new(),
    })
}
