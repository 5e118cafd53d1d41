//! A handle that is held long after its stream has ended can be released by any thread.
//!
//! Upstream: aeron-io/aeron#1874 (933d7aff), #2005; aeron_image_test
//! shouldReleaseRetainedImageAfterItBecomesUnavailable.
//! Size: 1 subscriber with 1 to 3 handles, a second thread that drops some. Small: 1 handle, 3 duty cycles.
use crate::prelude::*;
use models::image::{After, DriverOp, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A handle is held long after its stream has ended, and dropped";
    Scenario::new("release_after_unavailable", about, "aeron#1874, aeron#2005", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ReleaseRequiresMembership, "an image without holders is freed")
        .loom_finds(&[Variant::ReleaseRequiresMembership])
        .sometimes(&[
            "a thread drops a handle that another one has made",
            "a handle outlives its stream",
            "an image lingers because a handle is left",
        ])
        .timer_slack(Duration::from_millis(200))
        .small(Plan {
            unnoticed: vec![DriverOp::Vanish(0)],
            subscribers: vec![Subscriber { handles: vec![0], ..Subscriber::doing(vec![Op::Poll(1), Op::Drop]) }],
            ..Plan::smallest(3)
        })
}

fn plans() -> impl Strategy<Value = Plan> {
    (1_usize..=3, 0_u64..60, 0_u64..120, any::<bool>()).prop_map(|(handles, before_ms, long_ms, shelve)| {
        let mut ops = vec![Op::Poll(1), Op::Pause(long_ms), Op::Position, Op::PollHandle(2), Op::Drop];
        ops.extend(shelve.then_some(Op::Shelve));
        ops.extend([Op::Poll(1), Op::Pause(long_ms), Op::Drop, Op::Drop]);
        let subscriber = Subscriber { handles: vec![0; handles], after: After::Poll, ..Subscriber::doing(ops) };
        Plan {
            driver: vec![DriverOp::Pause(before_ms), DriverOp::Vanish(0), DriverOp::Pause(40)],
            subscribers: vec![subscriber],
            clearings: 4,
            ..Plan::with(1, 2)
        }
    })
}
