//! Data that one direction has queued in a buffer ring is sent on that direction's descriptor.
//!
//! Upstream: follows from proxy.c, whose comments say that two directions share the pool and that the order cannot be
//! checked then ("TODO"); send_ring is the default if the kernel supports it (6.10). Not reported.
//! Size: up to 2 clients with 2 rounds of up to 10 requests each, with and without bundles, 8 buffers.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Both directions send from rings of provided buffers";
    Scenario::new("send_rings_both_ways", about, "axboe/liburing proxy.c send_ring", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::SharedOutRing, "a payload reaches only the request it is tagged for")
        .sometimes(&["a client has all of its replies"])
}

fn plans() -> impl Strategy<Value = Plan> {
    (plan::clients(2, 10), any::<bool>()).prop_map(|(clients, recv_mshot)| Plan {
        options: Options { send_ring: true, recv_mshot, ..Options::REPORTED },
        // The window holds everything that a client sends, so no send waits. A waiting send would complete after a
        // later one of the other direction, and the defect would then violate a ledger rule of the ring before a
        // payload arrives.
        window: 256,
        clients,
        ..Plan::smallest()
    })
}
