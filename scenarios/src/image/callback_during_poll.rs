//! The conductor's callbacks create an `Image`, or ask for the image count, while the subscriber reads an older list.
//!
//! Upstream: ce89cea0 (retain and release propose), aeron-io/aeron#1752 and #1764 (image_count proposes, lingering
//! prunes).
//! Size: 1 slow subscriber with a handle per image, 2 publishers that go. Small: 1 image, 1 fragment, 3 duty cycles.
use crate::prelude::*;
use models::image::{After, Callback, DriverOp, Handler, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "An image handler uses the subscription while a poll reads an older list";
    Scenario::new("callback_during_poll", about, "aeron ce89cea0, aeron#1764", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ProposeFromConductor, "aeron_image_list_t is not used after its release")
        .violates(Variant::PruneWhileLingering, "aeron_image_list_t is not used after its release")
        .loom_finds(&[Variant::ProposeFromConductor, Variant::PruneWhileLingering])
        .sometimes(&["an image is closed under a poll", "an image lingers because its subscriber has not moved on"])
        .timer_slack(Duration::from_millis(200))
        .small(Plan {
            unnoticed: vec![DriverOp::Vanish(0)],
            subscribers: vec![Subscriber { handles: vec![0], ..reader(Handler::QUICK, vec![Op::Poll(1)]) }],
            ..Plan { before: vec![DriverOp::Publish(0), DriverOp::Write(0, 1)], ..Plan::smallest(3) }
        })
}

// The handles keep the images alive, so only the list is freed under the poll.
fn reader(handler: Handler, ops: Vec<Op>) -> Subscriber {
    Subscriber { callback: Callback::Counting, handler, handles: vec![0, 1], ops, after: After::Nothing }
}

fn plans() -> impl Strategy<Value = Plan> {
    (0_u64..60, 0_u64..60, 1_u32..6).prop_map(|(first_ms, second_ms, limit)| Plan {
        driver: vec![
            DriverOp::Pause(first_ms),
            DriverOp::Vanish(1),
            DriverOp::Pause(second_ms),
            DriverOp::Vanish(0),
            DriverOp::Pause(50),
        ],
        subscribers: vec![reader(Handler::SLOW, [Op::Poll(limit), Op::Pause(5)].repeat(2))],
        ..Plan::with(2, 3)
    })
}
