//! A peer that reads slowly: replies wait until their pipe is free, and go to the peer that sent the request.
//!
//! Upstream: rep0_ctx_send and rep0_pipe_send_cb of v1.10.1 (sendq); upstream's test is
//! test_rep_close_pipe_during_send. Size: up to 4 callers with 2 requests each over connections with room for one
//! message, 3 server contexts; up to 3 breaks.
use crate::prelude::*;
use models::context_pool::{Act, Plan, Style, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Replies wait for a busy pipe, and the pipe is lost";
    Scenario::new("slow_peer", about, "nanomsg/nng rep_test.c", plans, run)
        .clean(Variant::Fixed)
        .sometimes(&["a reply waits for its pipe to be free", "a pipe is closed while a reply waits for it"])
}

fn plans() -> impl Strategy<Value = Plan> {
    (plan::callers(4, 2, plan::any_request()), 1..=3_usize).prop_map(|(callers, breaks)| Plan {
        threads: Threads::NNG,
        pipes: 1,
        capacity: 1,
        server_contexts: 3,
        resend_ms: None,
        style: Style::ContextPerRequest,
        callers,
        acts: [Act::Pause(1), Act::Reset(0)].repeat(breaks),
    })
}
