//! Several handles to one image, in several threads: the image is freed with the last handle, and not before.
//!
//! Upstream: aeron_image_test shouldCorrectlyCountReferences; WrapperSystemTest shouldFreeUnavailableImage counts 4,
//! 3, 1.
//! Size: 1 subscriber with 2 to 5 handles, some handed to a second thread. Small: 2 handles, 2 duty cycles.
use crate::prelude::*;
use models::image::{After, Callback, DriverOp, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Threads of the application drop their handles to one image";
    Scenario::new("several_handles_one_image", about, "aeron_image_test.cpp", plans, run)
        .clean(Variant::Fixed)
        .sometimes(&[
            "a thread drops a handle that another one has made",
            "an image lingers because a handle is left",
            "a handle outlives its stream",
        ])
        .timer_slack(Duration::from_millis(200))
        .small(Plan {
            unnoticed: vec![DriverOp::Vanish(0)],
            subscribers: vec![Subscriber {
                handles: vec![0, 0],
                ..Subscriber::doing(vec![Op::Poll(1), Op::Drop, Op::Drop])
            }],
            ..Plan::smallest(2)
        })
}

fn plans() -> impl Strategy<Value = Plan> {
    let step = prop_oneof![
        2 => Just(Op::Lookup(0)),
        2 => Just(Op::Drop),
        1 => Just(Op::Shelve),
        1 => Just(Op::Copy),
        1 => Just(Op::Position),
        1 => Just(Op::PollHandle(1)),
        1 => (1_u64..40).prop_map(Op::Pause),
    ];
    (prop::collection::vec(step, 1..10), 0_u64..80).prop_map(|(ops, pause_ms)| {
        let handles = vec![0, 0];
        let subscriber =
            Subscriber { callback: Callback::Keeping, handles, after: After::Poll, ..Subscriber::doing(ops) };
        Plan {
            driver: vec![DriverOp::Pause(pause_ms), DriverOp::Vanish(0), DriverOp::Pause(40)],
            subscribers: vec![subscriber],
            clearings: 5,
            ..Plan::with(1, 3)
        }
    })
}
