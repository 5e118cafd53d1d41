//! A subscription is closed, and the handler of its unavailable images keeps a handle to one.
//!
//! Upstream: aeron_client_conductor_linger_or_delete_all_images of 63c11a69 decides before the handler whether an image
//! has handles; derived, not reported.
//! Size: 1 or 2 images, 0 to 2 earlier handles. Small: 1 image, 2 duty cycles.
use crate::prelude::*;
use models::image::{Callback, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A handler keeps an image that its subscription's close makes unavailable";
    Scenario::new("handle_kept_at_close", about, "aeron 63c11a69 (derived)", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::CloseCountsBeforeHandler, "aeron_image_t is not used after its release")
        .sometimes(&["the last handler of an image keeps a handle"])
        .timer_slack(Duration::from_millis(200))
        .small(Plan {
            subscribers: vec![Subscriber { callback: Callback::KeepingLast, ..Subscriber::doing(vec![Op::Close]) }],
            clearings: 1,
            ..Plan::smallest(2)
        })
}

fn plans() -> impl Strategy<Value = Plan> {
    (1..=2, 0_usize..=2, 0_u64..60).prop_map(|(images, handles, pause_ms)| {
        let ops = vec![Op::Poll(1), Op::Drop, Op::Close, Op::Pause(pause_ms), Op::Drop];
        let subscriber =
            Subscriber { callback: Callback::KeepingLast, handles: vec![0; handles], ..Subscriber::doing(ops) };
        Plan { subscribers: vec![subscriber], clearings: 5, ..Plan::with(images, 3) }
    })
}
