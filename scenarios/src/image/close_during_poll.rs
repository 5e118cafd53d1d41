//! A subscription belongs to the thread that polls it: another thread must not close it during a poll.
//!
//! Upstream: subscriptions are documented not to be thread-safe; the conductor deletes a closed subscription without
//! checking for a poll.
//! Size: 1 slow subscriber with a handle, 1 publisher; the main task closes.
use crate::prelude::*;
use models::image::{Closer, DriverOp, Handler, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "One thread of the application closes a subscription while another polls it";
    Scenario::new("close_during_poll", about, "aeron@63c11a69 (derived)", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::CloseDuringPoll, "aeron_image_list_t is not used after its release")
        .sometimes(&["a subscription is closed while a handle to its image is left"])
        .timer_slack(Duration::from_millis(200))
}

fn plans() -> impl Strategy<Value = Plan> {
    (1_u32..5, 0_u64..40).prop_map(|(limit, pause_ms)| {
        // One poll only: the thread must not use the deleted subscription again. The handle keeps the image.
        let subscriber =
            Subscriber { handler: Handler::SLOW, handles: vec![0], ..Subscriber::doing(vec![Op::Poll(limit)]) };
        Plan {
            driver: vec![DriverOp::Pause(pause_ms)],
            subscribers: vec![subscriber],
            closer: Closer::Main,
            ..Plan::with(1, 5)
        }
    })
}
