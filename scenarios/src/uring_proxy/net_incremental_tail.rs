//! Data is forwarded although it does not fill its incremental buffer: the proxy does not wait for the rest of the
//! buffer.
//!
//! Upstream: derived from recv_inc, not reported: proxy.c forwards only full buffers.
//! Size: 1 or 2 clients with up to 2 connections and 2 requests each, one at a time, 2 or 4 buffers of 128 bytes.
use crate::prelude::*;
use models::uring_proxy::{Ending, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Requests that are smaller than an incremental buffer";
    Scenario::on_network("net_incremental_tail", about, "axboe/liburing proxy.c recv_inc", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::IncWholeBuffer, "a client that waits gets its replies")
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let nr_bufs = prop_oneof![Just(2_u32), Just(4)];
    let clients = plan::visits((1, 2), 1, 8, Just(Ending::HalfClose));
    (clients, nr_bufs, any::<[bool; 2]>()).prop_map(|(clients, nr_bufs, [recv_mshot, snd_msg])| {
        let options = Options { buf_ring_inc: true, buf_size: 128, nr_bufs, ..Options::NETWORK };
        NetPlan::of(Options { recv_mshot, snd_msg, ..options }, clients)
    })
}
