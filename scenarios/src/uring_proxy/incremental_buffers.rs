//! An incremental buffer returns to the pool only when the kernel is done with it and all of its parts are sent.
//!
//! Upstream: io_uring_setup_buf_ring(3): more completions of one buffer follow while F_BUF_MORE is set. Derived from
//! recv_inc, not reported: proxy.c forwards only full buffers, and a whole buffer to the destination of its last byte.
//! Size: 1 or 2 clients with 2 rounds of up to 6 requests each, 2 or 4 buffers of 16 bytes.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Incremental buffers, shared by both directions";
    Scenario::new("incremental_buffers", about, "io_uring_setup_buf_ring(3)", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::IncIgnoresBufMore, "buf is touched only by its owner")
        .sometimes(&["a client has all of its replies"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let nr_bufs = prop_oneof![Just(2_u32), Just(4)];
    let flags = (any::<bool>(), any::<bool>());
    (plan::clients(2, 6), nr_bufs, flags).prop_map(|(clients, nr_bufs, (recv_mshot, snd_msg))| Plan {
        options: Options { buf_ring_inc: true, buf_size: 16, nr_bufs, recv_mshot, snd_msg, ..Options::REPORTED },
        clients,
        ..Plan::smallest()
    })
}
