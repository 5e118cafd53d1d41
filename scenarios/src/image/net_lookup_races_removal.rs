//! The publisher on the network ends, so an image is removed between its lookup and the release of the lookup's
//! reference.
//!
//! Upstream: c54c263d: aeron_subscription_image_release has no effect for an image that is not listed (derived).
//! Size: 3 publishers with up to 3 lives, most of them revoked; 1 subscriber that looks up all the time.
use crate::prelude::*;
use models::image::{After, Ending, NetPlan, Op, Subscriber, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "An image is removed during its lookup, because its publisher on the network has ended";
    Scenario::on_network("net_lookup_races_removal", about, "aeron c54c263d (derived)", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::LookupReleaseRequiresMembership, "an image without holders is freed")
        .sometimes(&["a lookup finds no image", "a session comes back while its last image lingers"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ending = prop_oneof![3 => Just(Ending::Revoke), 1 => Just(Ending::Die)];
    (plan::publishers(3, 3, ending), prop::sample::select(vec![1_u64, 2, 4, 8, 16])).prop_map(
        |(publishers, pause_ms)| {
            let turn = [Op::Poll(4), Op::At(0), Op::At(1), Op::Drop, Op::Drop, Op::Pause(pause_ms)];
            let subscriber = Subscriber { after: After::Poll, ..Subscriber::doing(turn.repeat(40)) };
            NetPlan { liveness_ms: 40, ..NetPlan::of(publishers, vec![subscriber]) }
        },
    )
}
