//! Requests and replies need more buffers than the pool has: each receive continues when a buffer returns.
//!
//! Upstream: commits 4e642958 and c18c8fbc: a receive that hit -ENOBUFS was armed again by a send only. -ENOBUFS itself
//! is not an error.
//! Size: 1 or 2 clients with 2 rounds of up to 10 requests each, 1 or 2 buffers, single-shot and multishot.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Two directions share a pool of one or two buffers";
    Scenario::new("pool_exhausted", about, "axboe/liburing@4e642958, @c18c8fbc", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::NoRearmOnEnobufs, "no task waits forever")
        .sometimes(&[
            "a receive finds no provided buffer",
            "a receive waited for a buffer to come back",
            "no send is under way that could arm a receive",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    (plan::clients(2, 10), 1..=2_u32, any::<bool>()).prop_map(|(clients, nr_bufs, recv_mshot)| Plan {
        options: Options { nr_bufs, recv_mshot, ..Options::REPORTED },
        window: 24,
        clients,
        ..Plan::smallest()
    })
}
