//! Concurrent teardown: publishers, their hosts and connections, subscriptions, handles and in some runs the client or
//! its driver.
//!
//! Upstream: aeron-io/aeron#1313, #1548; aeron_client_conductor_on_close of 63c11a69.
//! Size: up to 4 publishers with up to 2 lives, up to 2 subscribers, which close during the run; up to 4 faults of
//! connections of any kind; room for one attempt or two at a time.
use crate::prelude::*;
use models::image::{DriverOp, NetPlan, Op, Plan, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Concurrent teardown of publishers, connections, subscriptions and the client";
    Scenario::on_network("net_image_teardown", about, "aeron#1313, aeron#1548", plans, run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&[
            "a subscription is closed while a handle to its image is left",
            "a client is closed by force while images are listed",
            "a client is closed by force while images linger",
            "a publisher is refused",
            "a publisher's host crashes under it",
        ])
        .steps_max(60_000)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let subscribers = prop::collection::vec((plan::any_subscriber(3, 8), any::<bool>()), 1..=2);
    let end = prop_oneof![2 => Just(None), 1 => Just(Some(DriverOp::StallConductor)), 1 => Just(Some(DriverOp::Die))];
    let publishers = (2..=4_usize).prop_flat_map(|count| plan::publishers(count, 2, plan::any_ending()));
    let faults = faults(5, &FaultKind::OF_CONNECTIONS, 0..=4, 400);
    (publishers, subscribers, end, faults, 1..=2_u32, 20..200_u64).prop_map(
        |(publishers, subscribers, end, faults, backlog, before_ms)| {
            let closing = |(mut subscriber, closes): (models::image::Subscriber, bool)| {
                subscriber.ops.insert(0, Op::Pause(before_ms));
                subscriber.ops.extend(closes.then_some(Op::Close));
                subscriber
            };
            let plan = NetPlan::of(publishers, subscribers.into_iter().map(closing).collect());
            // The first publisher's host crashes, or the driver ends the client.
            let (events, driver) = match end {
                None => (vec![Event::Pause(before_ms), Event::Crash(0), Event::Pause(40)], Vec::new()),
                Some(end) => (Vec::new(), vec![DriverOp::Pause(before_ms), end, DriverOp::Pause(40)]),
            };
            NetPlan {
                weather: Weather { events, faults, backlog, ..Weather::SHORT },
                plan: Plan { clearings: 3, driver, ..plan.plan },
                ..plan
            }
        },
    )
}
