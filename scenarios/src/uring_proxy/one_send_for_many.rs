//! A connection ends when all bytes are forwarded, although one send has forwarded the data of several receives.
//!
//! Upstream: follows from should_shutdown, which compares numbers of receives and sends when both directions are
//! forwarded; not reported.
//! Size: 1 client with 2 rounds of up to 16 requests, sendmsg, multishot receives, a slow network.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "One sendmsg forwards the data of several receives, and the peer closes";
    Scenario::new("one_send_for_many", about, "axboe/liburing proxy.c should_shutdown", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::StopByCounts, "no task waits forever")
        .sometimes(&["one sendmsg sends several buffers", "a client has all of its replies"])
}

fn plans() -> impl Strategy<Value = Plan> {
    plan::clients(1, 16).prop_map(|clients| Plan {
        options: Options { snd_msg: true, recv_mshot: true, ..Options::REPORTED },
        window: 24,
        clients,
        ..Plan::smallest()
    })
}
