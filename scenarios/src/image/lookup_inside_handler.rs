//! A fragment handler looks up an image, or asks for the image count: the call proposes the newest list, while the poll
//! around it still reads an older one.
//!
//! Upstream: every lookup of 63c11a69 proposes the newest list, wherever it is called; derived, not reported.
//! Size: 1 slow subscriber with a handle per image, 3 publishers, two of which go.
use crate::prelude::*;
use models::image::{Ask, DriverOp, Handler, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A fragment handler looks an image up while its poll is in an older list";
    Scenario::new("lookup_inside_handler", about, "aeron 63c11a69 (derived)", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ProposeInHandler, "aeron_image_list_t is not used after its release")
        .sometimes(&["a lookup inside a poll proposes nothing"])
        .timer_slack(Duration::from_millis(200))
}

fn plans() -> impl Strategy<Value = Plan> {
    let ask = prop_oneof![Just(Ask::Count), Just(Ask::Lookup)];
    (ask, 0_u64..60, 0_u64..40).prop_map(|(ask, first_ms, second_ms)| {
        let handler = Handler { ask, ..Handler::SLOW };
        // The handles keep the images alive, so only the list is freed under the poll.
        let handles = vec![0, 1, 2];
        let subscriber = Subscriber { handler, handles, ..Subscriber::doing(vec![Op::Poll(6), Op::Poll(6)]) };
        Plan {
            driver: vec![
                DriverOp::Pause(first_ms),
                DriverOp::Vanish(2),
                DriverOp::Pause(second_ms),
                DriverOp::Vanish(1),
                DriverOp::Pause(60),
            ],
            subscribers: vec![subscriber],
            ..Plan::with(3, 4)
        }
    })
}
