//! A subscription is closed while its publishers send and handles to its images exist: publishers learn that they have
//! no reader, and each image is freed with its last handle.
//!
//! Upstream: aeron_client_conductor_linger_or_delete_all_images of 63c11a69 (derived).
//! Size: 2 publishers with up to 2 lives; 2 subscriptions, one or both of which close with up to 3 handles.
use crate::prelude::*;
use models::image::{After, NetPlan, Op, Plan, Subscriber, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A subscription is closed with handles left while publishers on the network send";
    Scenario::on_network("net_subscription_closes", about, "aeron 63c11a69 (derived)", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::CloseDropsBaseTwice, "aeron_image_refcnt reaches count zero only without holders")
        .violates(Variant::CloseSkipsHeldImages, "availability completes exactly once")
        .sometimes(&[
            "a subscription is closed while a handle to its image is left",
            "a close waits for room in the command ring",
            "two images share a log buffer",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let faults = faults(5, &[FaultKind::HalfClose, FaultKind::Stall { ms: 60 }], 0..=2, 300);
    let publishers = plan::publishers(2, 2, plan::any_ending());
    (publishers, 30..120_u64, 0..60_u64, 0..2_u32, any::<bool>(), faults).prop_map(
        |(publishers, before_ms, pause_ms, command_capacity, both, faults)| {
            let mut ops = vec![Op::Poll(1), Op::Pause(before_ms), Op::At(0), Op::Copy, Op::Poll(1), Op::Close];
            ops.extend([Op::PollHandle(1), Op::Drop, Op::Pause(pause_ms), Op::Position, Op::PollHandle(1), Op::Drop]);
            let closes = both.then_some(Op::Close);
            let other = [Op::Pause(before_ms), Op::Poll(2)].into_iter().chain(closes).collect();
            let other = Subscriber { after: After::Poll, ..Subscriber::doing(other) };
            let plan = NetPlan::of(publishers, vec![Subscriber::doing(ops), other]);
            NetPlan {
                weather: Weather { faults, ..Weather::SHORT },
                plan: Plan { command_capacity, ..plan.plan },
                ..plan
            }
        },
    )
}
