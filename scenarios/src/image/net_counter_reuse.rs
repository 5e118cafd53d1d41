//! The driver reuses a counter for the next image before the client knows that the last image has ended: publishers
//! return faster than a conductor with many subscriptions reads the driver's messages.
//!
//! Upstream: follows from aeron_counters_manager.c and aeron_image.c of 63c11a69; not reported.
//! Size: 3 subscriptions, 3 publishers with up to 3 lives, most of them revoked; an image lingers for 20 to 40 ms.
use crate::prelude::*;
use models::image::{After, Ending, NetPlan, Op, Subscriber, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Publishers on the network return before the conductor has handled their end";
    Scenario::on_network("net_counter_reuse", about, "aeron 63c11a69 (derived)", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::ReuseIgnoresStalls, "subscriber_position is not used after its release")
        .sometimes(&["a position counter is reused", "two images share a log buffer"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ending = prop_oneof![3 => Just(Ending::Revoke), 1 => Just(Ending::Die)];
    (plan::publishers(3, 3, ending), 20..40_u64, 1..4_u32).prop_map(|(publishers, liveness_ms, limit)| {
        let ops = [Op::Poll(limit), Op::Position, Op::Pause(10)].repeat(3);
        let subscriber = Subscriber { after: After::Poll, ..Subscriber::doing(ops) };
        NetPlan { liveness_ms, ..NetPlan::of(publishers, vec![subscriber.clone(), subscriber.clone(), subscriber]) }
    })
}
