//! A fragment handler blocks until its image is removed and the image's position counter is reused.
//!
//! Upstream: 35cda530, 848b3593, aeron-io/aeron#1998 (a5892881), #1675; aeron_image_test ...ClosedDuringHandler.
//! Size: 1 slow subscriber, polling its subscription and then its handle, 1 publisher that ends, 3 requested counters.
use crate::prelude::*;
use models::image::{DriverOp, Handler, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A handler blocks until its image is removed, and then the poll continues";
    Scenario::new("slow_consumer", about, "aeron#1998, aeron 848b3593", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::NoCloseOnRemove, "subscriber_position is not used after its release")
        .violates(Variant::PositionStoreAfterClose, "subscriber_position is not used after its release")
        .violates(Variant::PollIgnoresClose, "a poll stops when it sees that its image is closed")
        .sometimes(&["a position counter is reused", "a poll does not store the position of a closed image"])
        .timer_slack(Duration::from_millis(200))
}

fn plans() -> impl Strategy<Value = Plan> {
    (0_u64..40, 1_u32..4, any::<bool>()).prop_map(|(before_ms, limit, committing)| {
        let action = if committing { models::image::Action::Commit } else { models::image::Action::Continue };
        let poll = if committing { models::image::Poll::Controlled } else { models::image::Poll::Plain };
        let ops = vec![Op::Poll(limit), Op::PollHandle(limit), Op::Position, Op::PollHandle(limit)];
        let handler = Handler { action, poll, ..Handler::SLOW };
        let reuse = [DriverOp::Pause(20), DriverOp::Reuse];
        Plan {
            driver: [DriverOp::Pause(before_ms), DriverOp::Vanish(0)].into_iter().chain(reuse.repeat(3)).collect(),
            subscribers: vec![Subscriber { handler, handles: vec![0], ..Subscriber::doing(ops) }],
            ..Plan::with(1, 6)
        }
    })
}
