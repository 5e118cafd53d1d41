//! A reset at any byte of a connection from a client to the proxy, or from the proxy to the server: the proxy gets
//! -ECONNRESET or -EPIPE, closes the other connection, and frees everything.
//!
//! Upstream: follows from handle_close, which frees the statistics a second time when handle_shutdown has queued a
//! second close; not reported.
//! Size: 1 to 3 clients with up to 2 connections and 16 requests each; up to 3 resets or refusals.
use crate::prelude::*;
use models::uring_proxy::{Ending, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A reset at any byte of requests and replies, on either side of the proxy";
    Scenario::on_network(
        "net_proxy_reset_at_a_byte",
        about,
        "axboe/liburing proxy.c handle_close",
        plans,
        run_on_network,
    )
    .clean(Variant::Fixed)
    .violates(Variant::SecondCloseFrees, "rcv_bucket is released once")
    .sometimes(&[
        "an error stops a connection",
        "a shutdown fails",
        "a connection ends with requests unanswered",
        "a client is refused",
    ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let clients = plan::visits((1, 3), 8, 8, Just(Ending::HalfClose));
    let resets = faults(6, &[FaultKind::Reset, FaultKind::Reset, FaultKind::Refuse], 0..=3, 300);
    (clients, resets, any::<[bool; 2]>()).prop_map(|(clients, faults, [recv_mshot, snd_msg])| NetPlan {
        weather: Weather { faults, ..Weather::SHORT },
        ..NetPlan::of(Options { recv_mshot, snd_msg, ext_stat: true, ..Options::NETWORK }, clients)
    })
}
