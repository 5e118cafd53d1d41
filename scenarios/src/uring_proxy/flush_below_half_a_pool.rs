//! The data of a receive that has ended is sent, however little it is.
//!
//! Upstream: commit 6dfe352a, after which a stall is no longer possible. One direction, `-m0 -B0`, whose sends
//! otherwise wait for half a pool. Size: up to 2 clients that send up to 3 requests, wait until they have arrived, and
//! send more; 8 or 16 buffers. Small: 1 client with 1 request in two pieces, 2 tasks: house_keeping may read counters
//! as stale as weak memory allows.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A small amount of data in one direction, and no data after it";
    Scenario::new("flush_below_half_a_pool", about, "axboe/liburing@6dfe352a", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::NoSendWithoutMore, "no task waits forever")
        .small(Plan {
            options: Options { bidi: false, recv_mshot: true, nr_bufs: 4, ..Options::REPORTED },
            window: 3,
            clients: vec![vec![Step::Ping(1)]],
            two_tasks: true,
            ..Plan::smallest()
        })
}

fn plans() -> impl Strategy<Value = Plan> {
    let nr_bufs = prop_oneof![Just(8_u32), Just(16)];
    (plan::clients(2, 3), nr_bufs, any::<bool>()).prop_map(|(clients, nr_bufs, snd_msg)| Plan {
        options: Options { bidi: false, nr_bufs, snd_msg, ..Options::REPORTED },
        clients,
        ..Plan::smallest()
    })
}
