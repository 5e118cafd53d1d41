//! The network fills an incremental buffer piece by piece; it returns to the pool when the kernel is done with it and
//! all of its parts are sent.
//!
//! Upstream: io_uring_setup_buf_ring(3): more completions of one buffer follow while F_BUF_MORE is set.
//! Size: 1 or 2 clients with up to 2 connections and 12 requests each, 2 or 4 buffers of 64 bytes.
use crate::prelude::*;
use models::uring_proxy::{Ending, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Incremental buffers, filled as the network delivers";
    Scenario::on_network("net_incremental", about, "io_uring_setup_buf_ring(3)", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::IncIgnoresBufMore, "buf is touched only by its owner")
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let nr_bufs = prop_oneof![Just(2_u32), Just(4)];
    let clients = plan::visits((1, 2), 6, 8, Just(Ending::HalfClose));
    (clients, nr_bufs, any::<[bool; 2]>()).prop_map(|(clients, nr_bufs, [recv_mshot, snd_msg])| {
        let options = Options { buf_ring_inc: true, buf_size: 64, nr_bufs, ..Options::NETWORK };
        NetPlan::of(Options { recv_mshot, snd_msg, ..options }, clients)
    })
}
