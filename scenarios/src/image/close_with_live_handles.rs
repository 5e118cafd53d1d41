//! A subscription is closed while the application has handles to its images, and the handles are dropped later.
//!
//! Upstream: aeron_client_conductor_linger_or_delete_all_images of 63c11a69 drops the base reference of such an image
//! twice and does not close it; derived, not reported.
//! Size: 1 to 3 handles, 2 images. Small: 1 handle, 2 duty cycles.
use crate::prelude::*;
use models::image::{Callback, DriverOp, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A subscription is closed while handles to its images are left";
    Scenario::new("close_with_live_handles", about, "aeron 63c11a69 (derived)", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::CloseDropsBaseTwice, "aeron_image_refcnt reaches count zero only without holders")
        .violates(Variant::CloseSkipsHeldImages, "availability completes exactly once")
        .loom_finds(&[Variant::CloseDropsBaseTwice, Variant::CloseSkipsHeldImages])
        .sometimes(&[
            "a subscription is closed while a handle to its image is left",
            "a close waits for room in the command ring",
        ])
        .timer_slack(Duration::from_millis(200))
        .small(Plan {
            subscribers: vec![Subscriber { handles: vec![0], ..Subscriber::doing(vec![Op::Close, Op::Drop]) }],
            ..Plan::smallest(2)
        })
}

fn plans() -> impl Strategy<Value = Plan> {
    (1_usize..=3, 0_u64..60, 0..2_u32, any::<bool>()).prop_map(|(handles, pause_ms, command_capacity, vanishes)| {
        let mut ops = vec![Op::Poll(1), Op::Close, Op::PollHandle(1), Op::Drop, Op::Pause(pause_ms)];
        ops.extend([Op::PollHandle(1), Op::Position, Op::Drop, Op::Shelve]);
        let callback = if vanishes { Callback::Wrapper } else { Callback::None };
        let subscriber = Subscriber { callback, handles: vec![0; handles], ..Subscriber::doing(ops) };
        let other = Subscriber::doing(vec![Op::Poll(2), Op::Close]);
        Plan {
            command_capacity,
            driver: if vanishes { vec![DriverOp::Vanish(1), DriverOp::Pause(20)] } else { Vec::new() },
            subscribers: vec![subscriber, other],
            ..Plan::with(2, 3)
        }
    })
}
