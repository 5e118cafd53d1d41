//! A connection breaks before, while and after requests are sent: each is sent again, or ends with NNG_ECONNRESET.
//!
//! Upstream: req0_pipe_close of v1.10.1; upstream's tests are test_req_resend_disconnect and _disconnect_no_retry.
//! Size: up to 4 callers with 2 requests each, 1 or 2 connections, up to 4 breaks or pauses; 2 workers, the reaper, the
//! timers.
use crate::prelude::*;
use models::context_pool::{Act, Plan, Style, Threads, Variant, plan, run};

/// A minute, upstream's default: a request is sent again because of the break, not because of the time.
const RESEND_MS: u64 = 60_000;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A connection breaks with requests on it";
    Scenario::new("pipe_reset_with_requests", about, "nanomsg/nng req_test.c", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::FreeAfterSendOk, "nng_msg reaches count zero only without holders")
        .sometimes(&["a request is sent again because its pipe was lost", "a request is answered"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let resend = prop_oneof![Just(None), Just(Some(RESEND_MS))];
    let fault = prop_oneof![(0..2_u32).prop_map(Act::Reset), (1..10_u64).prop_map(Act::Pause)];
    let acts = prop::collection::vec(fault, 1..=4);
    let callers = plan::callers(4, 2, plan::waited());
    (callers, resend, acts, 1..=2_u32).prop_map(|(callers, resend_ms, acts, pipes)| Plan {
        threads: Threads { timers: resend_ms.is_some(), ..Threads::NNG },
        pipes,
        capacity: 1,
        server_contexts: 2,
        resend_ms,
        style: Style::ContextPerRequest,
        callers,
        acts,
    })
}
