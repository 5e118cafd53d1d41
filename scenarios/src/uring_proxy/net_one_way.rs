//! One direction: a little data with none after it is sent, and a connection ends if its server closes in the middle of
//! a send.
//!
//! Upstream: commit 6dfe352a, after which a stall is no longer possible. Derived from __handle_send, not reported: a
//! short send counts as complete, and the connection then waits forever. Size: 1 to 3 clients with up to 2 connections
//! and 10 requests each; sockets of 16 bytes or more; half of the time the server closes its socket after up to 4
//! requests.
use crate::prelude::*;
use models::uring_proxy::{Backend, Ending, Leaves, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Requests stream one way, and the server may go away in the middle of a send";
    Scenario::on_network("net_one_way", about, "axboe/liburing@6dfe352a, proxy.c __handle_send", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::NoSendWithoutMore, "a client that waits gets its replies")
        .violates(Variant::ShortSendDropsTail, "a client gets its replies or sees the end of its connection")
        .sometimes(&["a send is short", "an error stops a connection"])
        .steps_max(60_000)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let leaves = prop_oneof![Just(Leaves::WhenIdle), (1..=4_u32).prop_map(Leaves::Drop)];
    let sizes = (prop_oneof![Just(16_u32), Just(64)], 0..=2_u32);
    let clients = plan::visits((1, 3), 5, 16, Just(Ending::HalfClose));
    (clients, leaves, sizes, any::<[bool; 2]>()).prop_map(
        |(clients, leaves, (socket_bytes, lag_ms), [recv_mshot, snd_msg])| NetPlan {
            weather: Weather { window: socket_bytes, ..Weather::SHORT },
            backend: Backend { lag_ms, piece: 24, leaves },
            ..NetPlan::of(Options { bidi: false, recv_mshot, snd_msg, ..Options::NETWORK }, clients)
        },
    )
}
