//! Concurrent teardown: sockets are closed while their callers have requests in flight.
//!
//! Upstream: nni_sock_shutdown of v1.10.1; upstream's tests are test_req_ctx_recv_close_socket and rep's close tests.
//! Size: up to 3 callers with 3 requests each, 2 connections, up to 3 pauses, breaks and closes; 2 workers.
use crate::prelude::*;
use models::context_pool::{Act, Plan, Style, Threads, Variant, plan, run};

/// The timer slack of a run: it limits a run to about forty resends, so that the run ends.
const TIMER_SLACK: Duration = Duration::from_millis(200);

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Sockets are closed under callers with requests in flight";
    Scenario::new("context_teardown", about, "nanomsg/nng req_test.c", plans, run)
        .clean(Variant::Fixed)
        .timer_slack(TIMER_SLACK)
        .sometimes(&[
            "a request is answered",
            "a context is refused because its socket is closing",
            "a reply to a pipe that is gone is reported as sent",
            "a socket waits for a context that is being closed",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let pause = (1_u64..20).prop_map(Act::Pause);
    let fault = prop_oneof![2 => pause, 1 => (0..2_u32).prop_map(Act::Reset), 1 => Just(Act::CloseRep)];
    let resend = prop_oneof![Just(None), (5_u64..50).prop_map(Some)];
    let style = prop_oneof![Just(Style::ContextPerRequest), Just(Style::ContextPool(2))];
    let acts = prop::collection::vec(fault, 0..=3);
    let callers = plan::callers(3, 3, plan::any_request());
    (callers, resend, style, acts).prop_map(|(callers, resend_ms, style, mut acts)| {
        // Last, so that no caller is left waiting for a peer that does not come back.
        acts.push(Act::CloseReq);
        Plan { threads: Threads::NNG, pipes: 2, capacity: 1, server_contexts: 2, resend_ms, style, callers, acts }
    })
}
