//! The data that one direction has queued in a buffer ring is sent on that direction's socket, while requests and
//! replies are in flight both ways: a client checks that every byte belongs to its own replies.
//!
//! Upstream: follows from proxy.c, whose comments say that two directions share the pool and that the order cannot be
//! checked then ("TODO"); send_ring is the default if the kernel supports it (6.10). Not reported.
//! Size: 1 or 2 clients with up to 2 connections and 16 requests each, 8 buffers; sockets of 64 bytes.
use crate::prelude::*;
use models::uring_proxy::{Ending, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Send rings in both directions, with clients that check every byte";
    Scenario::on_network("net_send_rings", about, "axboe/liburing proxy.c send_ring", plans, run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&["a receive finds no provided buffer"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let clients = plan::visits((1, 2), 8, 8, Just(Ending::HalfClose));
    let stalls = faults(6, &[FaultKind::Stall { ms: 30 }], 0..=1, 200);
    (clients, stalls, any::<[bool; 2]>()).prop_map(|(clients, faults, [recv_mshot, short])| {
        let plan = NetPlan::of(Options { send_ring: true, recv_mshot, ..Options::NETWORK }, clients);
        NetPlan { weather: Weather { faults, short, window: 64, ..Weather::FAIR }, ..plan }
    })
}
