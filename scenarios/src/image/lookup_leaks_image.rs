//! The reported leak: each lookup by the wrapper leaks a reference, so the image lingers forever.
//!
//! Upstream: aeron-io/aeron#1735, fixed by 2593db3e; SystemTest shouldFreeUnavailableImage.
//! Size: 1 subscriber with up to 6 lookups and drops, 1 publisher that goes. Small: 1 lookup, 2 duty cycles.
use crate::prelude::*;
use models::image::{After, DriverOp, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A wrapper looks an image up and drops it, and the stream ends";
    Scenario::new("lookup_leaks_image", about, "aeron#1735", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::LookupDoubleRetain, "an image without holders is freed")
        .loom_finds(&[Variant::LookupDoubleRetain])
        .sometimes(&[
            "a lookup finds no image",
            "a handle outlives its stream",
            "an image lingers because a handle is left",
        ])
        .timer_slack(Duration::from_millis(200))
        .small(Plan {
            unnoticed: vec![DriverOp::Vanish(0)],
            subscribers: vec![Subscriber::doing(vec![Op::Lookup(0), Op::Drop])],
            ..Plan::smallest(2)
        })
}

fn plans() -> impl Strategy<Value = Plan> {
    let step =
        prop_oneof![3 => Just(Op::Lookup(0)), 2 => Just(Op::Drop), 1 => Just(Op::At(0)), 1 => Just(Op::Position)];
    (prop::collection::vec(step, 0..6), 0_u64..60).prop_map(|(mut ops, pause_ms)| {
        ops.insert(0, Op::Lookup(0));
        Plan {
            driver: vec![DriverOp::Pause(pause_ms), DriverOp::Vanish(0), DriverOp::Pause(50)],
            subscribers: vec![Subscriber { after: After::Poll, ..Subscriber::doing(ops) }],
            ..Plan::with(1, 2)
        }
    })
}
