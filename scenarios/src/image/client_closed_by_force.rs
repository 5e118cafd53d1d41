//! The driver dies, or the conductor has stalled: the client closes everything at once, and frees it in `aeron_close`.
//!
//! Upstream: aeron_client_conductor_force_close_resources, on_check_timeouts and on_close of 63c11a69.
//! Size: 2 subscribers that read, look up, drop and close, 2 publishers, up to 4 steps before the end.
use crate::prelude::*;
use models::image::{DriverOp, Plan, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The client is closed by force under subscribers with handles";
    Scenario::new("client_closed_by_force", about, "aeron_client_conductor.c", plans, run)
        .clean(Variant::Fixed)
        .sometimes(&[
            "a client is closed by force while images are listed",
            "a client is closed by force while images linger",
            "a subscription is destroyed after it was closed by force",
            "an image is closed under a poll",
        ])
        .timer_slack(Duration::from_millis(200))
}

fn plans() -> impl Strategy<Value = Plan> {
    let end = prop_oneof![Just(DriverOp::StallConductor), Just(DriverOp::Die)];
    let subscribers = prop::collection::vec(plan::any_subscriber(2, 6), 1..=2);
    (plan::any_driver(2, 4), end, subscribers).prop_map(|(mut driver, end, subscribers)| {
        driver.extend([end, DriverOp::Pause(40)]);
        Plan { driver, subscribers, clearings: 2, ..Plan::with(2, 3) }
    })
}
