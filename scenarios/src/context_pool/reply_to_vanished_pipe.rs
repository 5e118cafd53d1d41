//! A reply to a pipe that is gone is freed, and its send reported as a success: that is correct, and nothing leaks.
//!
//! Upstream: rep0_ctx_send of v1.10.1; upstream's test is close_pipe_context_send in rep_test.c. A negative control.
//! Size: up to 3 callers with 2 requests each, 2 server contexts; each connection breaks once. 2 workers, the reaper.
use crate::prelude::*;
use models::context_pool::{Act, Plan, Style, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A server replies to a peer that is gone";
    Scenario::new("reply_to_vanished_pipe", about, "nanomsg/nng rep_test.c", plans, run)
        .clean(Variant::Fixed)
        .sometimes(&["a reply to a pipe that is gone is reported as sent", "a request is answered"])
}

fn plans() -> impl Strategy<Value = Plan> {
    (plan::callers(3, 2, plan::waited()), 1..=2_u32).prop_map(|(callers, pipes)| Plan {
        threads: Threads { timers: false, ..Threads::NNG },
        pipes,
        capacity: 1,
        server_contexts: 2,
        resend_ms: None,
        style: Style::ContextPerRequest,
        callers,
        acts: (0..pipes).flat_map(|pipe| [Act::Pause(1), Act::Reset(pipe)]).collect(),
    })
}
