//! A peer resets its connection: the proxy closes the other connection and frees everything.
//!
//! Upstream: follows from default_error, which ends the connection's thread without closing anything, and from
//! handle_close, which frees the statistics a second time when handle_shutdown has queued a second close; neither
//! reported.
//! Size: up to 2 clients with 2 rounds of up to 6 requests; the server resets after up to 4, or a client does.
use crate::prelude::*;
use models::uring_proxy::{Habit, Options, Plan, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A peer resets its connection with bytes in flight";
    Scenario::new("peer_resets", about, "axboe/liburing proxy.c default_error", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ErrorEndsThread, "no task waits forever")
        .violates(Variant::SecondCloseFrees, "rcv_bucket is released once")
        .sometimes(&["an error stops a connection", "a shutdown fails"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let server = prop_oneof![(1..5_u32).prop_map(Habit::ResetAfter), Just(Habit::Answers)];
    (plan::clients(2, 6), server, any::<bool>()).prop_map(|(mut clients, server, recv_mshot)| {
        if let (Habit::Answers, Some(steps)) = (server, clients.first_mut()) {
            steps.extend([Step::Ping(4), Step::Reset]);
        }
        let options = Options { recv_mshot, ext_stat: true, ..Options::REPORTED };
        Plan { options, window: 24, clients, server, ..Plan::smallest() }
    })
}
