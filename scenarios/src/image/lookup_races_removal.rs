//! The conductor removes an image from the list in the middle of a lookup.
//!
//! Upstream: createImage of 63c11a69 releases its reference with a call that has no effect for an image that is not
//! listed (c54c263d); derived, not reported.
//! Size: up to 8 lookups, 2 publishers. Small: 1 lookup, 2 duty cycles.
use crate::prelude::*;
use models::image::{After, DriverOp, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "An image is removed while a lookup creates a handle to it";
    Scenario::new("lookup_races_removal", about, "aeron c54c263d (derived)", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::LookupReleaseRequiresMembership, "an image without holders is freed")
        .loom_finds(&[Variant::LookupReleaseRequiresMembership])
        .sometimes(&["a lookup finds no image"])
        .timer_slack(Duration::from_millis(200))
        .small(Plan {
            unnoticed: vec![DriverOp::Vanish(0)],
            subscribers: vec![Subscriber::doing(vec![Op::Lookup(0), Op::Drop])],
            ..Plan::smallest(2)
        })
}

fn plans() -> impl Strategy<Value = Plan> {
    let look =
        prop_oneof![Just(Op::Lookup(0)), Just(Op::Lookup(1)), Just(Op::At(0)), Just(Op::Copy), Just(Op::ForEach)];
    let turn = (look, prop::option::of(1_u64..30)).prop_map(|(look, pause_ms)| {
        let pause = pause_ms.map_or(Op::Count, Op::Pause);
        [look, Op::Drop, pause]
    });
    (prop::collection::vec(turn, 1..8), 0_u64..60).prop_map(|(turns, pause_ms)| {
        let driver = [DriverOp::Vanish(0), DriverOp::Pause(pause_ms), DriverOp::Vanish(1), DriverOp::Publish(0)];
        Plan {
            driver: driver.to_vec(),
            subscribers: vec![Subscriber { after: After::Poll, ..Subscriber::doing(turns.concat()) }],
            ..Plan::with(2, 1)
        }
    })
}
