//! The bytes of a buffer that is not full yet are forwarded too.
//!
//! Upstream: follows from recv_inc, which queues a buffer when the kernel is done with it and not before: a stream that
//! does not end with a full buffer is never forwarded whole, and its connection never ends. Not reported.
//! Size: up to 2 clients with up to 6 requests each, one direction, buffers of 16 bytes.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Step, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A stream that ends within an incremental buffer";
    Scenario::new("incremental_tail", about, "axboe/liburing proxy.c recv_inc", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::IncWholeBuffer, "no task waits forever")
}

fn plans() -> impl Strategy<Value = Plan> {
    let requests = prop::collection::vec(1..=6_u32, 1..=2);
    (requests, any::<bool>()).prop_map(|(requests, recv_mshot)| Plan {
        options: Options { buf_ring_inc: true, bidi: false, buf_size: 16, nr_bufs: 4, recv_mshot, ..Options::REPORTED },
        clients: requests.into_iter().map(|requests| vec![Step::Ping(requests)]).collect(),
        ..Plan::smallest()
    })
}
