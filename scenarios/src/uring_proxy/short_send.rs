//! A connection breaks when half of a buffer is sent: the send is short, and the connection ends.
//!
//! Upstream: follows from __handle_send, which counts a short send and continues as if all bytes had been sent; with
//! one direction should_shutdown then waits forever for the numbers of received and sent bytes to be equal. Not
//! reported.
//! Size: up to 3 clients with 3 to 6 requests each, one or both directions, a window of 3 bytes; the server resets
//! after 1 or 2 requests.
use crate::prelude::*;
use models::uring_proxy::{Habit, Options, Plan, Step, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A send is cut short by a broken connection";
    Scenario::new("short_send", about, "axboe/liburing proxy.c __handle_send", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ShortSendDropsTail, "no task waits forever")
        .sometimes(&["a send is short", "an error stops a connection"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let requests = prop::collection::vec(3..=6_u32, 1..=3);
    let bidi = prop_oneof![3 => Just(false), 1 => Just(true)];
    let flags = (bidi, any::<bool>(), any::<bool>(), any::<bool>());
    (requests, 1..=2_u32, flags).prop_map(|(requests, after, (bidi, recv_mshot, send_ring, snd_bundle))| Plan {
        options: Options { bidi, recv_mshot, send_ring, snd_bundle, ..Options::REPORTED },
        window: 3,
        clients: requests.into_iter().map(|requests| vec![Step::Ping(requests)]).collect(),
        server: Habit::ResetAfter(after),
        ..Plan::smallest()
    })
}
