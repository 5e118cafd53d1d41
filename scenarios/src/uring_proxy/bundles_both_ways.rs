//! A completion of a bundle names its first buffer; the others follow in the order of the ring, not of the ids.
//!
//! Upstream: io_uring_prep_recv(3). Derived from recv_bids, not reported: proxy.c uses an id as a position in the ring,
//! and the next id for the next buffer, which is correct only while buffers return in order. c1cf7713: all buffers in
//! one.
//! Size: up to 2 clients with 2 rounds of up to 10 requests each, 4 buffers, a slow network.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Bundles of buffers that were returned out of order";
    Scenario::new("bundles_both_ways", about, "axboe/liburing@c1cf7713, io_uring_prep_recv(3)", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::BucketOffByOne, "each count of packets has its entry in the statistics")
        .violates(Variant::SlotByBid, "a buffer is sent from where it was filled")
        .sometimes(&["a receive fills several buffers", "a send takes several buffers"])
}

fn plans() -> impl Strategy<Value = Plan> {
    (plan::clients(2, 10), any::<bool>()).prop_map(|(clients, recv_mshot)| Plan {
        options: Options {
            rcv_bundle: true,
            send_ring: true,
            snd_bundle: true,
            ext_stat: true,
            recv_mshot,
            nr_bufs: 4,
            ..Options::REPORTED
        },
        window: 16,
        clients,
        ..Plan::smallest()
    })
}
