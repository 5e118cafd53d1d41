//! The driver reuses a counter before the client has noticed the end of its image; upstream relies on a delay of one
//! second.
//!
//! Upstream: follows from aeron_counters_manager.c and aeron_image.c of 63c11a69; not reported.
//! Size: 1 subscriber that polls and queries positions, 2 publishers that come and go, 3 requested counters.
use crate::prelude::*;
use models::image::{After, DriverOp, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Counters are freed and asked for again while a subscriber polls";
    Scenario::new("counter_reuse_races_poll", about, "aeron 63c11a69 (derived)", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ReuseIgnoresStalls, "subscriber_position is not used after its release")
        .sometimes(&["a position counter is reused"])
        .timer_slack(Duration::from_millis(200))
}

fn plans() -> impl Strategy<Value = Plan> {
    (0_u64..40, 0_u64..30, 1_u32..4).prop_map(|(first_ms, then_ms, limit)| {
        let driver = [
            DriverOp::Pause(first_ms),
            DriverOp::Vanish(0),
            DriverOp::Reuse,
            DriverOp::Publish(0),
            DriverOp::Write(0, 2),
            DriverOp::Pause(then_ms),
            DriverOp::Vanish(1),
            DriverOp::Reuse,
            DriverOp::Pause(30),
            DriverOp::Reuse,
        ];
        let ops = [Op::Poll(limit), Op::Position, Op::PollHandle(1), Op::Pause(10)].repeat(3);
        let subscriber = Subscriber { handles: vec![0], after: After::Poll, ..Subscriber::doing(ops) };
        Plan { driver: driver.to_vec(), subscribers: vec![subscriber], ..Plan::with(2, 4) }
    })
}
