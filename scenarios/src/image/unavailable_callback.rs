//! The wrapper creates an `Image` for the unavailable handler although the image is no longer listed.
//!
//! Upstream: c54c263d and 3c1984b6: the constructor's retain has no effect, but the destructor's release has one.
//! Follows from the source of 63c11a69; not reported.
//! Size: 1 subscriber, 1 publisher that comes and goes.
use crate::prelude::*;
use models::image::{After, Callback, DriverOp, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "An unavailable handler gets a wrapper of an image that is no longer listed";
    Scenario::new("unavailable_callback", about, "aeron 3c1984b6 (derived)", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::RetainRequiresMembership, "aeron_image_refcnt reaches count zero only without holders")
        .loom_finds(&[Variant::RetainRequiresMembership])
        .sometimes(&["a callback asks for the image count"])
        .timer_slack(Duration::from_millis(200))
        .small(Plan {
            unnoticed: vec![DriverOp::Vanish(0)],
            subscribers: vec![reader(Callback::Wrapper, vec![Op::Poll(1)])],
            ..Plan::smallest(3)
        })
}

fn reader(callback: Callback, ops: Vec<Op>) -> Subscriber {
    Subscriber { callback, ..Subscriber::doing(ops) }
}

// No handles: the count is one, so a release without its retain takes the conductor's reference.
fn plans() -> impl Strategy<Value = Plan> {
    let callback = prop_oneof![Just(Callback::Wrapper), Just(Callback::Counting)];
    (callback, 0_u64..60, 0_u64..60).prop_map(|(callback, first_ms, then_ms)| {
        let ops = vec![Op::Poll(1), Op::Pause(20), Op::ForEach, Op::Poll(1)];
        let subscriber = Subscriber { after: After::Poll, ..reader(callback, ops) };
        let driver = [DriverOp::Pause(first_ms), DriverOp::Vanish(0), DriverOp::Publish(0), DriverOp::Pause(then_ms)];
        Plan { driver: driver.repeat(2), subscribers: vec![subscriber], ..Plan::with(1, 2) }
    })
}
