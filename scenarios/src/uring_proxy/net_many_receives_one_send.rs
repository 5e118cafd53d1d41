//! A client closes when it has its replies, and the proxy ends the connection, although one send has forwarded the data
//! of several receives, in either direction, as the network split the stream.
//!
//! Upstream: follows from should_shutdown, which compares numbers of receives and sends when both directions are
//! forwarded; not reported.
//! Size: 1 or 2 clients with up to 2 connections and 24 requests each, sendmsg, multishot receives.
use crate::prelude::*;
use models::uring_proxy::{Ending, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "One sendmsg forwards the data of several receives, and the client closes";
    Scenario::on_network(
        "net_many_receives_one_send",
        about,
        "axboe/liburing proxy.c should_shutdown",
        plans,
        run_on_network,
    )
    .clean(Variant::Fixed)
    .violates(Variant::StopByCounts, "a client gets its replies or sees the end of its connection")
    .sometimes(&["one sendmsg sends several buffers", "ten and more requests are in flight and answered"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    plan::visits((1, 2), 12, 8, Just(Ending::HalfClose))
        .prop_map(|clients| NetPlan::of(Options { snd_msg: true, recv_mshot: true, ..Options::NETWORK }, clients))
}
