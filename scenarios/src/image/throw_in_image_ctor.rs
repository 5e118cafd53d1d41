//! The wrapper throws after the lookup has retained the image and before the wrapper's own reference exists.
//!
//! Upstream: 2593db3e releases the lookup's reference only if nothing throws; 63c11a69 releases it in both cases.
//! Size: 1 subscriber with up to 5 lookups, some of which throw, 1 publisher that goes.
use crate::prelude::*;
use models::image::{After, DriverOp, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The constructor of a wrapper throws in the middle of a lookup";
    Scenario::new("throw_in_image_ctor", about, "aeron 2593db3e (derived)", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ThrowKeepsLookup, "an image without holders is freed")
        .sometimes(&["a wrapper throws between a lookup and its own reference", "a lookup finds no image"])
        .timer_slack(Duration::from_millis(200))
}

fn plans() -> impl Strategy<Value = Plan> {
    let look = prop_oneof![Just(Op::Lookup(0)), Just(Op::LookupThrowing(0)), (1_u64..30).prop_map(Op::Pause)];
    (prop::collection::vec(look, 0..4), 0_u64..60).prop_map(|(mut ops, pause_ms)| {
        ops.push(Op::LookupThrowing(0));
        Plan {
            driver: vec![DriverOp::Pause(pause_ms), DriverOp::Vanish(0), DriverOp::Pause(20)],
            subscribers: vec![Subscriber { after: After::Poll, ..Subscriber::doing(ops) }],
            ..Plan::with(1, 2)
        }
    })
}
