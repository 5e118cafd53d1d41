//! Concurrent teardown: connections are stopped while requests and replies are in flight, and clients reset.
//!
//! Upstream: handle_stop and queue_cancel. Derived from the source, not reported: requests are submitted after the
//! cancellations, and one of two requests on a descriptor is not cancelled.
//! Size: up to 3 clients with 2 rounds of up to 6 requests, some of which reset; a stop after up to 2 pauses. Small: 1
//! client with 1 request and a stop as soon as the connection is open, 2 tasks.
use crate::prelude::*;
use models::uring_proxy::{Act, Options, Plan, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Connections are stopped with bytes in flight in both directions";
    Scenario::new("proxy_teardown", about, "axboe/liburing proxy.c handle_stop", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ArmAfterStop, "no request is pending when a connection is freed")
        .loom_finds(&[Variant::ArmAfterStop])
        .violates(Variant::CancelFirstMatch, "no request is pending when a connection is freed")
        .sometimes(&["a stop comes while a send is in flight", "an error stops a connection", "a shutdown fails"])
        .small(Plan {
            options: Options { nr_bufs: 1, ..Options::REPORTED },
            acts: vec![Act::StopAll],
            two_tasks: true,
            ..Plan::smallest()
        })
        .timer_slack(Duration::from_millis(50))
}

fn plans() -> impl Strategy<Value = Plan> {
    let pauses = prop::collection::vec((1..10_u64).prop_map(Act::Pause), 0..=2);
    let resets = any::<bool>();
    let flags = (any::<bool>(), any::<bool>());
    (plan::clients(3, 6), pauses, resets, flags).prop_map(|(mut clients, mut acts, resets, (recv_mshot, snd_msg))| {
        acts.push(Act::StopAll);
        if let (true, Some(steps)) = (resets, clients.first_mut()) {
            steps.extend([Step::Ping(3), Step::Reset]);
        }
        let options = Options { recv_mshot, snd_msg, nr_bufs: 4, ..Options::REPORTED };
        Plan { options, window: 16, clients, acts, ..Plan::smallest() }
    })
}
