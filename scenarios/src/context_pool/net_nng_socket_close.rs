//! Socket close: the peer sends FIN at any byte, closes the connection in place of a reply or after one, or between two
//! requests. The dialer connects again; each request is sent again or ends with NNG_ECONNRESET.
//!
//! Upstream: req0_pipe_close of v1.10.1; upstream's tests are test_req_resend_disconnect and _disconnect_no_retry.
//! Size: up to 3 callers with 3 requests each; up to 2 connections half-closed at a byte; 2 workers.
use crate::prelude::*;
use models::context_pool::{Habit, NetPlan, Replier, Style, Variant, plan, run_on_network};

/// A request takes some 500 steps, more when its bytes come one by one.
const STEPS_MAX: u32 = 100_000;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Socket close by the peer before, within or after a reply";
    Scenario::on_network("net_nng_socket_close", about, "nanomsg/nng req_test.c", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::FreeAfterSendOk, "nng_msg reaches count zero only without holders")
        .sometimes(&[
            "a peer closes its end of a connection",
            "a connection ends within a message",
            "a dialer connects again",
            "a request is sent again because its pipe was lost",
            "a request is answered",
        ])
        .steps_max(STEPS_MAX)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let habit = prop_oneof![3 => Just(Habit::Reply), 1 => Just(Habit::Hangup), 1 => Just(Habit::ReplyAndHangup)];
    // One entry always replies, since the list is repeated: every request is answered in the end.
    let habits = prop::collection::vec(habit, 0..=5).prop_map(|habits| [&habits[..], &[Habit::Reply]].concat());
    let callers = plan::callers(3, 3, plan::waited());
    let style = prop_oneof![Just(Style::ContextPerRequest), Just(Style::ContextPool(2))];
    let resend = prop_oneof![Just(None), Just(Some(60_000))];
    let finishes = faults(4, &[FaultKind::HalfClose], 0..=2, 120);
    (callers, style, resend, habits, finishes).prop_map(|(callers, style, resend_ms, habits, faults)| NetPlan {
        weather: Weather { faults, ..Weather::SHORT },
        resend_ms,
        patience_ms: 200,
        style,
        callers,
        replier: Replier::peer(habits),
        ..NetPlan::quiet()
    })
}
