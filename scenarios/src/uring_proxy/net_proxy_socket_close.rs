//! Socket close: a peer closes its socket or shuts one direction, at any byte, idle or with requests under way, often
//! both peers at once. The connection is stopped once, closed on both sides, and freed.
//!
//! Upstream: commits e4562576 (disconnected too early) and e8b85a24 (statistics not freed); the flags that two threads
//! change without a lock follow from the source, not reported.
//! Size: 1 to 3 clients with up to 2 connections and 12 requests each; the server leaves after up to 6; up to 2 FINs.
use crate::prelude::*;
use models::uring_proxy::{Backend, Ending, Leaves, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Socket close on either side of the proxy, by FIN at any byte or with bytes unread";
    Scenario::on_network("net_proxy_socket_close", about, "axboe/liburing@e4562576, @e8b85a24", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::EarlyDisconnected, "a disconnected connection is no longer counted in open_conns")
        .violates(Variant::BucketsLeak, "rcv_bucket is released by quiescence")
        .violates(Variant::StopSentTwice, "a connection is stopped once")
        .sometimes(&[
            "a client leaves with requests under way",
            "the server closes its socket with requests under way",
            "a connection ends while it is idle",
            "a peer's end comes while bytes are queued",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ending = prop_oneof![2 => Just(Ending::HalfClose), 1 => Just(Ending::Drop)];
    let leaves =
        prop_oneof![Just(Leaves::WhenIdle), (1..=6_u32).prop_map(Leaves::Fin), (1..=6_u32).prop_map(Leaves::Drop),];
    let fins = faults(6, &[FaultKind::HalfClose], 0..=2, 200);
    let clients = plan::visits((1, 3), 6, 8, ending);
    (clients, leaves, fins, any::<bool>()).prop_map(|(clients, leaves, faults, recv_mshot)| {
        let plan = NetPlan::of(Options { ext_stat: true, recv_mshot, ..Options::NETWORK }, clients);
        NetPlan { weather: Weather { faults, ..Weather::SHORT }, backend: Backend { leaves, ..plan.backend }, ..plan }
    })
}
