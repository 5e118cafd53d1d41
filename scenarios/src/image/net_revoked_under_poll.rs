//! Streams are revoked on the network while a slow handler reads them: the poll must neither read on nor store its
//! position, since its counter may already be reused.
//!
//! Upstream: 35cda530, 848b3593, aeron-io/aeron#1998 (a5892881), #1675; the revoked flag of 63c11a69's heartbeats.
//! Size: 3 publishers with up to 3 lives of up to 6 frames, most of them revoked; 1 slow subscriber; requested
//! counters.
use crate::prelude::*;
use models::image::{
    Action, After, DriverOp, Ending, Handler, NetPlan, Op, Plan, Poll, Subscriber, Variant, plan, run_on_network,
};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Streams on the network are revoked while a slow handler reads them";
    Scenario::on_network("net_revoked_under_poll", about, "aeron#1998, aeron 848b3593", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::NoCloseOnRemove, "subscriber_position is not used after its release")
        .violates(Variant::PositionStoreAfterClose, "subscriber_position is not used after its release")
        .violates(Variant::PollIgnoresClose, "a poll stops when it sees that its image is closed")
        .sometimes(&[
            "a stream is revoked before its subscribers have read it",
            "an image is closed under a poll",
            "a poll does not store the position of a closed image",
            "a position counter is reused",
        ])
        .steps_max(60_000)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ending = prop_oneof![4 => Just(Ending::Revoke), 1 => Just(Ending::Close)];
    let pauses = prop::collection::vec((20..120_u64).prop_map(DriverOp::Pause), 2..6);
    (plan::publishers(3, 3, ending), 60..110_u64, any::<bool>(), pauses).prop_map(
        |(publishers, pause_ms, committing, pauses)| {
            let action = if committing { Action::Commit } else { Action::Continue };
            let poll = if committing { Poll::Controlled } else { Poll::Plain };
            let handler = Handler { action, poll, pause_ms, ..Handler::QUICK };
            // The handles keep the images alive, so only the counter is freed under the poll.
            let ops = [Op::Copy, Op::Poll(4)].repeat(4);
            let subscriber = Subscriber { handler, after: After::Poll, ..Subscriber::doing(ops) };
            let driver = pauses.into_iter().flat_map(|pause| [pause, DriverOp::Reuse]).collect();
            let plan = NetPlan::of(publishers, vec![subscriber]);
            NetPlan { plan: Plan { driver, ..plan.plan }, liveness_ms: 40, ..plan }
        },
    )
}
