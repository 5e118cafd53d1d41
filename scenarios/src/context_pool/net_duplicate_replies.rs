//! Requests are resent, and replies are duplicated, late, unsolicited or malformed: each request gets one reply, its
//! own, and a connection with a malformed reply is closed.
//!
//! Upstream: req0_recv_cb and req0_retry_cb of v1.10.1; nng_req(7).
//! Size: up to 3 callers with 2 requests each, a resend time of some milliseconds; a peer with up to 6 habits; 2
//! workers.
use crate::prelude::*;
use models::context_pool::{Habit, NetPlan, Replier, Style, Variant, plan, run_on_network};

/// A request takes some 500 steps, more when its bytes come one by one.
const STEPS_MAX: u32 = 100_000;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Replies are duplicated, late, unsolicited or malformed";
    Scenario::on_network("net_duplicate_replies", about, "nanomsg/nng nng_req(7)", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::FreeAfterSendOk, "nng_msg reaches count zero only without holders")
        .sometimes(&[
            "a request is sent again because its resend time has passed",
            "a reply finds no request",
            "a reply is sent late",
            "a malformed reply closes its pipe",
            "a message is longer than its reader takes",
            "a request is answered",
        ])
        .steps_max(STEPS_MAX)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let habit = prop_oneof![
        3 => Just(Habit::Reply),
        2 => (2..=3_u32).prop_map(Habit::Again),
        2 => (5..60_u64).prop_map(Habit::Late),
        1 => Just(Habit::Ignore),
        1 => Just(Habit::Stranger),
        1 => (0..=3_u32).prop_map(Habit::Malformed),
        1 => Just(Habit::Oversize),
    ];
    // One entry always replies, since the list is repeated: every request is answered in the end.
    let habits = prop::collection::vec(habit, 0..=5).prop_map(|habits| [&habits[..], &[Habit::Reply]].concat());
    let callers = plan::callers(3, 2, plan::any_request());
    let style = prop_oneof![Just(Style::ContextPerRequest), Just(Style::ContextPool(2))];
    (callers, style, 10..40_u64, habits, 1..=2_u32).prop_map(|(callers, style, resend, habits, dialers)| NetPlan {
        weather: Weather::SHORT,
        dialers,
        resend_ms: Some(resend),
        patience_ms: 150,
        style,
        callers,
        replier: Replier::peer(habits),
        ..NetPlan::quiet()
    })
}
