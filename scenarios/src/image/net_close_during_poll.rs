//! A subscription belongs to the thread that polls it, on the network too: another thread must not close it during a
//! poll.
//!
//! Upstream: subscriptions are documented not to be thread-safe; the conductor deletes a closed subscription without
//! checking for a poll.
//! Size: 1 slow subscriber with handles, 2 publishers; the main task closes.
use crate::prelude::*;
use models::image::{Closer, Ending, Handler, NetPlan, Op, Plan, Subscriber, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "On the network, one thread of the application closes a subscription while another polls it";
    Scenario::on_network("net_close_during_poll", about, "aeron@63c11a69 (derived)", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::CloseDuringPoll, "aeron_image_list_t is not used after its release")
        .sometimes(&["a subscription is closed while a handle to its image is left"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let publishers = plan::publishers(2, 1, Just(Ending::Close));
    (publishers, 60..100_u64, 1_u32..5).prop_map(|(mut publishers, before_ms, limit)| {
        for life in publishers.iter_mut().flat_map(|publisher| &mut publisher.lives) {
            (life.pause_ms, life.lives_ms) = (0, 400);
        }
        // One poll only: the thread must not use the deleted subscription again. The handles keep the images.
        let ops = vec![Op::Pause(before_ms), Op::Copy, Op::Poll(limit)];
        let plan = NetPlan::of(publishers, vec![Subscriber { handler: Handler::SLOW, ..Subscriber::doing(ops) }]);
        NetPlan { plan: Plan { closer: Closer::Main, ..plan.plan }, ..plan }
    })
}
