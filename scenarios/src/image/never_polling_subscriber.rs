//! A subscriber that does not poll keeps every removed image. That is not a leak.
//!
//! Upstream: aeron_client_conductor_check_lingering_resources checks no time, only for a newer list;
//! aeron_subscription_test shouldAddAndRemoveImageWithoutPoll.
//! Size: 2 subscribers, one of which never polls, 2 publishers that come and go.
use crate::prelude::*;
use models::image::{After, Callback, DriverOp, Op, Plan, Subscriber, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Images linger as long as their subscriber does not poll";
    Scenario::new("never_polling_subscriber", about, "aeron_subscription_test.cpp", plans, run)
        .clean(Variant::Fixed)
        .sometimes(&["an image lingers because its subscriber has not moved on", "two images share a log buffer"])
        .timer_slack(Duration::from_millis(200))
}

fn plans() -> impl Strategy<Value = Plan> {
    let life = (0..2_i32, 0_u64..40).prop_map(|(id, pause_ms)| {
        [DriverOp::Vanish(id), DriverOp::Pause(pause_ms), DriverOp::Publish(id), DriverOp::Write(id, 1)]
    });
    let callback = prop_oneof![Just(Callback::None), Just(Callback::Wrapper), Just(Callback::Counting)];
    let lives = prop::collection::vec(life, 1..4);
    (lives, callback, any::<bool>()).prop_map(|(lives, callback, closes)| {
        let idle =
            Subscriber { callback, ..Subscriber::doing(if closes { vec![Op::Pause(60), Op::Close] } else { vec![] }) };
        let polling = Subscriber { after: After::Poll, ..Subscriber::doing(vec![Op::Poll(2)]) };
        Plan { driver: lives.concat(), subscribers: vec![idle, polling], ..Plan::with(2, 1) }
    })
}
