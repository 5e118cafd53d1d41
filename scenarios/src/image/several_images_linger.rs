//! Several images linger together, and one lingering check frees some of them.
//!
//! Upstream: aeron-io/aeron#1728: the index of the last image was not decremented, and the array got the same image
//! twice.
//! Size: 4 publishers that go, 1 subscriber with handles to some of them, dropped in any order.
use crate::prelude::*;
use models::image::{After, DriverOp, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "One lingering check frees several of the lingering images";
    Scenario::new("several_images_linger", about, "aeron#1728", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::StaleLastIndex, "aeron_image_t is not used after its release")
        .sometimes(&["two images are freed in one lingering check", "two image lists are pruned at once"])
        .timer_slack(Duration::from_millis(200))
}

fn plans() -> impl Strategy<Value = Plan> {
    let held = prop::sample::subsequence(vec![0, 1, 2, 3], 1..=3).prop_shuffle();
    (held, 0_u64..40).prop_map(|(handles, pause_ms)| {
        let vanish = (0..4).map(DriverOp::Vanish);
        let drops = [Op::Pause(40), Op::Drop].repeat(handles.len());
        let ops = [Op::Pause(pause_ms), Op::Poll(1), Op::Pause(120), Op::Poll(1)].into_iter().chain(drops).collect();
        Plan {
            driver: vanish.collect(),
            subscribers: vec![Subscriber { handles, after: After::Poll, ..Subscriber::doing(ops) }],
            ..Plan::with(4, 1)
        }
    })
}
