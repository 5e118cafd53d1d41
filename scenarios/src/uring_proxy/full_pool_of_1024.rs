//! A pool of 1024 buffers is provided at the start, which is correct.
//!
//! Upstream: axboe/liburing#1338, whose 1024 lines "add bid" are this setup and not part of the bug: a negative
//! control.
//! Size: 1 client with 1 round of up to 3 requests, 1024 buffers.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Step, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A pool of 1024 buffers, as in the report";
    Scenario::new("full_pool_of_1024", about, "axboe/liburing#1338", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::RearmCd0, "pending_recv has one operation pending")
        .sometimes(&["a client has all of its replies"])
}

fn plans() -> impl Strategy<Value = Plan> {
    (1..=3_u32).prop_map(|requests| Plan {
        options: Options { nr_bufs: 1024, ..Options::REPORTED },
        clients: vec![vec![Step::Ping(requests), Step::Await]],
        ..Plan::smallest()
    })
}
