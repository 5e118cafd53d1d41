//! The network is partitioned or held, or the peer's host crashes and comes back, before, while and after requests are
//! sent: dialers back off and connect again, and a resend uses the connection that exists by then.
//!
//! Upstream: dialer_timer_start_locked and req0_retry_cb of v1.10.1.
//! Size: up to 3 callers with 3 requests each, a resend time below the time that a link is down; up to 2 disturbances.
use crate::prelude::*;
use models::context_pool::{Habit, NetPlan, Replier, Request, Style, Variant, plan, run_on_network};

/// A request takes some 500 steps, more when its bytes come one by one.
const STEPS_MAX: u32 = 100_000;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The network is partitioned or held, or the peer's host crashes and restarts";
    Scenario::on_network("net_partition", about, "nanomsg/nng reconnect_stress_test.c", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::FreeAfterSendOk, "nng_msg reaches count zero only without holders")
        .sometimes(&[
            "a connection breaks under a pipe",
            "a dialer connects again",
            "a request is sent again because its resend time has passed",
            "a request is answered",
        ])
        .steps_max(STEPS_MAX)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let outage = (0..40_u64, any_outage(), 10..400_u64);
    let outage = outage.prop_map(|(before_ms, outage, ms)| outage.lasting(before_ms, ms));
    let events = prop::collection::vec(outage, 1..=2).prop_map(|events| events.concat());
    let request = prop_oneof![4 => plan::waited(), 1 => (20..100_u64).prop_map(Request::Timeout)];
    let habits = prop::collection::vec(
        prop_oneof![3 => Just(Habit::Reply), 1 => Just(Habit::Late(20)), 2 => Just(Habit::ReplyAndHangup)],
        1..=3,
    );
    let style = prop_oneof![Just(Style::ContextPerRequest), Just(Style::ContextPool(2))];
    (plan::callers(3, 3, request), style, 20..200_u64, events, habits, 1..=2_u32).prop_map(
        |(callers, style, resend, events, habits, dialers)| NetPlan {
            weather: Weather { latency_ms: (1, 10), events, ..Weather::FAIR },
            dialers,
            resend_ms: Some(resend),
            style,
            callers,
            replier: Replier::peer(habits),
            ..NetPlan::quiet()
        },
    )
}
