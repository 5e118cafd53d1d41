//! Bundles as the network splits the data: a completion names the first buffer; the others follow in the order of the
//! ring, not of the ids.
//!
//! Upstream: io_uring_prep_recv(3); c1cf7713: all buffers in one. Derived from recv_bids, not reported: proxy.c uses an
//! id as a position in the ring. Size: 1 or 2 clients with up to 2 connections and 16 requests each, 4 or 8 buffers of
//! 16 bytes; sockets of 64 bytes.
use crate::prelude::*;
use models::uring_proxy::{Ending, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Bundles in both directions, as the network splits the streams";
    Scenario::on_network("net_bundles", about, "axboe/liburing@c1cf7713, io_uring_prep_recv(3)", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::BucketOffByOne, "each count of packets has its entry in the statistics")
        .violates(Variant::SlotByBid, "a buffer is sent from where it was filled")
        .sometimes(&["a receive fills several buffers", "a send takes several buffers"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let nr_bufs = prop_oneof![Just(4_u32), Just(8)];
    let clients = plan::visits((1, 2), 8, 8, Just(Ending::HalfClose));
    let stalls = faults(6, &[FaultKind::Stall { ms: 30 }], 0..=1, 200);
    (clients, nr_bufs, stalls, any::<[bool; 2]>()).prop_map(|(clients, nr_bufs, faults, [recv_mshot, short])| {
        let bundles = Options { send_ring: true, rcv_bundle: true, snd_bundle: true, ..Options::NETWORK };
        let options = Options { ext_stat: true, buf_size: 16, nr_bufs, recv_mshot, ..bundles };
        NetPlan { weather: Weather { faults, short, window: 64, ..Weather::FAIR }, ..NetPlan::of(options, clients) }
    })
}
