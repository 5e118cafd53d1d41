//! A receive that ended is armed again on the descriptor that it ended on.
//!
//! Upstream: axboe/liburing#1338: `proxy -m0 -B1` asserts `!cd->pending_recv` at the first reply (fixed by 7f008999).
//! Size: up to 2 clients with 2 rounds of up to 10 requests each, 8 to 16 buffers. Small: 1 client, 1 request, 2 tasks.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Single-shot receives in both directions, each armed again on its descriptor";
    Scenario::new("single_shot_both_ways", about, "axboe/liburing#1338", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::RearmCd0, "pending_recv has one operation pending")
        .loom_finds(&[Variant::RearmCd0])
        .violates(Variant::BidByCount, "buf is touched only by its owner")
        .sometimes(&["a client has all of its replies"])
        .small(Plan { two_tasks: true, options: Options { nr_bufs: 1, ..Options::REPORTED }, ..Plan::smallest() })
}

fn plans() -> impl Strategy<Value = Plan> {
    let nr_bufs = prop_oneof![Just(8_u32), Just(16)];
    (plan::clients(2, 10), nr_bufs).prop_map(|(clients, nr_bufs)| Plan {
        options: Options { nr_bufs, ..Options::REPORTED },
        clients,
        ..Plan::smallest()
    })
}
