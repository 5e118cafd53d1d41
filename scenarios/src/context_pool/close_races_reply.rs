//! A context is closed while its reply is on the way: the wrapper must outlive the callback.
//!
//! Upstream: nanomsg/nng#2111; nng_ctx_close returns before the callbacks have run.
//! Size: up to 3 callers with 2 requests each, 2 workers, 2 server contexts. Small: 1 caller, 1 worker, 1 request.
use crate::prelude::*;
use models::context_pool::{Plan, Request, Style, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A context is closed while its reply is on the way";
    Scenario::new("close_races_reply", about, "nanomsg/nng#2111", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::CloseWithoutAioWait, "wrapper outlives its callback")
        .loom_finds(&[Variant::CloseWithoutAioWait])
        .sometimes(&["a request is answered", "a reply finds no request"])
        .small(Plan { callers: vec![vec![Request::Abandon]], ..Plan::smallest() })
}

fn plans() -> impl Strategy<Value = Plan> {
    let request = prop_oneof![Just(Request::Abandon), Just(Request::Forget), Just(Request::Wait)];
    plan::callers(3, 2, request).prop_map(|callers| Plan {
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
