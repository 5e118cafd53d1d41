//! A completion queue that is too small loses nothing: multishot receives end and are armed again.
//!
//! Upstream: io_uring_prep_recv(3): a multishot may end without F_MORE at any completion, so proxy.c must check the
//! flag for every result.
//! Size: up to 2 clients with 2 rounds of up to 10 requests each, 1 to 3 entries in the completion queue.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Requests complete while the completion queue is full";
    Scenario::new("completion_queue_full", about, "io_uring_prep_recv(3)", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::RearmCd0, "pending_recv has one operation pending")
        .sometimes(&[
            "a completion finds the queue full",
            "a multishot ends because the completion queue is full",
            "a client has all of its replies",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    (plan::clients(2, 10), 1..=3_u32, any::<bool>()).prop_map(|(clients, cq_entries, snd_zc)| Plan {
        options: Options { recv_mshot: true, cq_entries, snd_zc, ..Options::REPORTED },
        clients,
        ..Plan::smallest()
    })
}
