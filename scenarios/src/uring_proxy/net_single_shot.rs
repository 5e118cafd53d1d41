//! Pings of several clients, ten in flight and more, go through a proxy with single-shot receives: each reply reaches
//! the request that it answers, and each receive is armed again on its own socket.
//!
//! Upstream: axboe/liburing#1338: `proxy -m0 -B1` asserts `!cd->pending_recv` at the first reply (fixed by 7f008999).
//! Size: 1 to 3 clients with up to 2 connections and 20 requests each, 8 or 16 buffers; connections may stall.
use crate::prelude::*;
use models::uring_proxy::{Ending, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "RESP pings on the network through single-shot receives, and every ping is answered";
    Scenario::on_network("net_single_shot", about, "axboe/liburing#1338", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::RearmCd0, "pending_recv has one operation pending")
        .violates(Variant::BidByCount, "buf is touched only by its owner")
        .sometimes(&["ten and more requests are in flight and answered"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let nr_bufs = prop_oneof![Just(8_u32), Just(16)];
    let clients = plan::visits((1, 3), 10, 4, Just(Ending::HalfClose));
    let stalls = faults(6, &[FaultKind::Stall { ms: 50 }], 0..=2, 200);
    (clients, nr_bufs, stalls).prop_map(|(clients, nr_bufs, faults)| NetPlan {
        weather: Weather { faults, ..Weather::SHORT },
        ..NetPlan::of(Options { nr_bufs, ..Options::NETWORK }, clients)
    })
}
