//! A reset hits connections at any byte, of clients to the proxy and of the proxy to the server: the proxy is told
//! -ECONNRESET or -EPIPE, tells the other peer, and frees everything.
//!
//! Upstream: follows from handle_close, which frees a second time when handle_shutdown has queued a second close; not
//! reported.
//! Size: 1 to 3 clients with up to 2 connections and 16 requests each; up to 3 resets or refusals.
use crate::prelude::*;
use lastref::net::FaultKind;
use models::uring_proxy::net::{self, Ending, NetPlan};
use models::uring_proxy::{Options, Variant};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A reset at any byte of requests and replies, on either side of the proxy";
    Scenario::on_network("net_proxy_reset_at_a_byte", about, "axboe/liburing proxy.c handle_close", plans, net::run)
        .clean(Variant::Fixed)
        .violates(Variant::SecondCloseFrees, "conn_buf_ring is released once")
        .sometimes(&[
            "an error stops a connection",
            "a shutdown fails",
            "a connection ends with requests unanswered",
            "a client is refused",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let clients = net::clients((1, 3), 8, 8, Just(Ending::Finish));
    let resets = net::faults([FaultKind::Reset, FaultKind::Reset, FaultKind::Refuse], 3, 300);
    (clients, resets, any::<[bool; 2]>()).prop_map(|(clients, faults, [recv_mshot, snd_msg])| NetPlan {
        faults,
        ..NetPlan::of(Options { recv_mshot, snd_msg, ..Options::NETWORK }, clients)
    })
}
