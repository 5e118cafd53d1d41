//! A long reply uses up all buffers: only the receive of the reply is armed again.
//!
//! Upstream: follows from recv_enobufs, whose caller passes the receiving direction for the sending one; not reported.
//! Size: 1 or 2 clients that each request one reply larger than the pool, 16 buffers of 4 bytes, a slow network. The
//! pool is large enough for the request however it is split, so the receive that finds no buffer is the reply's.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Step, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A reply that is larger than the pool of buffers";
    Scenario::new("reply_finds_no_buffer", about, "axboe/liburing proxy.c recv_enobufs", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::EnobufsWrongDir, "pending_recv has one operation pending")
        .sometimes(&["a receive finds no provided buffer", "a client has all of its replies"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let clients = prop::collection::vec(60..100_u32, 1..=2);
    (clients, any::<bool>()).prop_map(|(lens, snd_msg)| Plan {
        options: Options { recv_mshot: true, nr_bufs: 16, buf_size: 4, snd_msg, ..Options::REPORTED },
        window: 16,
        clients: lens.into_iter().map(|len| vec![Step::Get(len), Step::Await]).collect(),
        ..Plan::smallest()
    })
}
