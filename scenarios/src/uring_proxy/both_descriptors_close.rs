//! A connection is disconnected when both of its descriptors are closed, and everything is freed then.
//!
//! Upstream: commit e4562576 (too early), e8b85a24 (statistics of one direction not freed).
//! Size: up to 3 clients with up to 3 requests each, statistics on. Small: 1 client that ends at once, 2 tasks.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Both descriptors of a connection are closed, and the connection is freed";
    Scenario::new("both_descriptors_close", about, "axboe/liburing@e4562576, @e8b85a24", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::EarlyDisconnected, "a disconnected connection is no longer counted in open_conns")
        .violates(Variant::BucketsLeak, "rcv_bucket is released by quiescence")
        .loom_finds(&[Variant::BucketsLeak])
        .sometimes(&["a client has all of its replies"])
        .small(Plan {
            options: Options { ext_stat: true, nr_bufs: 1, ..Options::REPORTED },
            clients: vec![vec![Step::Fin]],
            two_tasks: true,
            ..Plan::smallest()
        })
}

fn plans() -> impl Strategy<Value = Plan> {
    (plan::clients(3, 3), any::<bool>()).prop_map(|(clients, recv_mshot)| Plan {
        options: Options { ext_stat: true, recv_mshot, ..Options::REPORTED },
        clients,
        ..Plan::smallest()
    })
}
