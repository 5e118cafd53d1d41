//! Publishers on the network die and return: images end by their liveness timeout, and the reference of each lookup
//! must be released.
//!
//! Upstream: aeron-io/aeron#1735 (2593db3e), #1874 (933d7aff); the case that 2593db3e misses is derived.
//! Size: 2 or 3 publishers with up to 3 lives each; 1 subscriber with up to 8 lookups and drops; up to 1 reset.
use crate::prelude::*;
use models::image::{After, Ending, NetPlan, Op, Subscriber, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Publishers on the network die and return while a wrapper looks up their images";
    let leak = "an image without holders is freed";
    Scenario::on_network("net_publishers_die", about, "aeron#1735", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::LookupDoubleRetain, leak)
        .violates(Variant::ReleaseRequiresMembership, leak)
        .violates(Variant::ThrowKeepsLookup, leak)
        .sometimes(&[
            "an image ends by its liveness timeout",
            "a session comes back while its last image lingers",
            "a lookup finds no image",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let step = prop_oneof![
        3 => (0..3_i32).prop_map(Op::Lookup),
        1 => (0..3_i32).prop_map(Op::LookupThrowing),
        1 => Just(Op::At(0)),
        2 => (10..60_u64).prop_map(Op::Pause),
        2 => Just(Op::Drop),
        1 => Just(Op::Position),
        2 => (1..4_u32).prop_map(Op::Poll),
    ];
    let ending = prop_oneof![3 => Just(Ending::Die), 1 => Just(Ending::Close)];
    let publishers = (2..=3_usize).prop_flat_map(move |count| plan::publishers(count, 3, ending.clone()));
    (publishers, prop::collection::vec(step, 4..16), faults(5, &[FaultKind::Reset], 0..=1, 400)).prop_map(
        |(publishers, ops, faults)| {
            let subscriber = Subscriber { after: After::Poll, ..Subscriber::doing(ops) };
            NetPlan { weather: Weather { faults, ..Weather::SHORT }, ..NetPlan::of(publishers, vec![subscriber]) }
        },
    )
}
