//! Concurrent teardown: the proxy stops every connection while requests and replies are in flight, clients disconnect,
//! and connections are reset, refused, or hang.
//!
//! Upstream: handle_stop and queue_cancel. Derived from the source, not reported: requests are submitted after the
//! cancellations, and one of two requests on a descriptor is not cancelled.
//! Size: 1 to 4 clients with up to 2 connections and 12 requests each; a stop after up to 60 ms; up to 2 faults.
use crate::prelude::*;
use models::uring_proxy::{Act, Ending, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Concurrent teardown: the proxy stops its connections under clients and server";
    Scenario::on_network("net_proxy_teardown", about, "axboe/liburing proxy.c handle_stop", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::ArmAfterStop, "no request is pending when a connection is freed")
        .violates(Variant::CancelFirstMatch, "no request is pending when a connection is freed")
        .sometimes(&[
            "a stop comes while a send is in flight",
            "an error stops a connection",
            "a connection ends with requests unanswered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ending = prop_oneof![Just(Ending::HalfClose), Just(Ending::Drop), Just(Ending::Linger)];
    let kinds = [FaultKind::Reset, FaultKind::Refuse, FaultKind::Hang];
    let clients = plan::visits((1, 4), 6, 16, ending);
    let sizes = (0..=60_u32, prop_oneof![Just(24_u32), Just(4096)]);
    (clients, faults(6, &kinds, 0..=2, 200), sizes, any::<[bool; 2]>()).prop_map(
        |(clients, faults, (pause, socket_bytes), [recv_mshot, snd_msg])| NetPlan {
            weather: Weather { faults, window: socket_bytes, ..Weather::SHORT },
            acts: vec![Act::Pause(u64::from(pause)), Act::StopAll],
            ..NetPlan::of(Options { recv_mshot, snd_msg, nr_bufs: 4, ..Options::NETWORK }, clients)
        },
    )
}
