//! Images come and go on the network while a poll reads an older list, and the conductor's image handlers, or the
//! poll's own fragment handler, query the subscription.
//!
//! Upstream: ce89cea0, aeron-io/aeron#1752 and #1764; every lookup of 63c11a69 proposes the newest list (derived).
//! Size: 3 publishers, which are revoked or die; 1 slow subscriber with a handle per image.
use crate::prelude::*;
use models::image::{Ask, Callback, Ending, Handler, NetPlan, Op, Subscriber, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Handlers query the subscription while images on the network end and a poll reads an older list";
    let list = "aeron_image_list_t is not used after its release";
    Scenario::on_network("net_callback_during_poll", about, "aeron ce89cea0, aeron#1764", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::ProposeFromConductor, list)
        .violates(Variant::PruneWhileLingering, list)
        .violates(Variant::ProposeInHandler, list)
        .sometimes(&[
            "an image lingers because its subscriber has not moved on",
            "a lookup inside a poll proposes nothing",
            "a callback asks for the image count",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    // No lookups: in these variants a lookup would read fields that the conductor writes, which is another finding.
    let ask = prop_oneof![Just(Ask::Nothing), Just(Ask::Count)];
    let ending = prop_oneof![3 => Just(Ending::Revoke), 1 => Just(Ending::Die)];
    (plan::publishers(3, 1, ending), ask, 40..90_u64, 0..160_u64).prop_map(
        |(mut publishers, ask, pause_ms, more_ms)| {
            // All images are listed when the handles are made; the last one is read until the others have ended.
            for (life, nth) in publishers.iter_mut().flat_map(|publisher| &mut publisher.lives).zip(0..) {
                (life.pause_ms, life.lives_ms) = (0, 130 + life.lives_ms + more_ms * nth);
            }
            let handler = Handler { ask, pause_ms, ..Handler::QUICK };
            // The handles keep the images alive, so only the list is freed under the poll.
            let ops = vec![Op::Pause(120), Op::Copy, Op::Poll(6), Op::Poll(6)];
            let subscriber = Subscriber { handler, callback: Callback::Counting, ..Subscriber::doing(ops) };
            NetPlan::of(publishers, vec![subscriber])
        },
    )
}
