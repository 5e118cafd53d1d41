//! Concurrent teardown: publishers, subscriptions, handles in two threads, and in some runs the client.
//!
//! Upstream: aeron-io/aeron#1313, #1548; aeron_client_conductor_on_close of 63c11a69.
//! Size: up to 3 subscribers, which close during the run, 3 publishers with up to 8 steps.
use crate::prelude::*;
use models::image::{Closer, DriverOp, Op, Plan, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Concurrent teardown of publishers, subscriptions, handles and the client";
    Scenario::new("image_teardown", about, "aeron#1313, aeron#1548", plans, run)
        .clean(Variant::Fixed)
        .sometimes(&[
            "a subscription is closed while a handle to its image is left",
            "a client is closed by force",
            "a log is gone before the client maps it",
            "a close waits for room in the command ring",
            "a position counter is reused",
        ])
        .timer_slack(Duration::from_millis(200))
}

fn plans() -> impl Strategy<Value = Plan> {
    let subscribers = prop::collection::vec((plan::any_subscriber(3, 6), any::<bool>()), 1..=3);
    let end = prop::option::weighted(0.2, prop_oneof![Just(DriverOp::StallConductor), Just(DriverOp::Die)]);
    let closer = prop_oneof![Just(Closer::Main), Just(Closer::Settled)];
    (plan::any_driver(3, 8), end, subscribers, closer, 0..3_u32).prop_map(
        |(mut driver, end, subscribers, closer, command_capacity)| {
            driver.extend(end);
            let closing = |(mut subscriber, closes): (models::image::Subscriber, bool)| {
                subscriber.ops.extend(closes.then_some(Op::Close));
                subscriber
            };
            let subscribers = subscribers.into_iter().map(closing).collect();
            Plan { command_capacity, driver, subscribers, clearings: 3, closer, ..Plan::with(3, 3) }
        },
    )
}
