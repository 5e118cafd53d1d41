//! The value of a GET is larger than the pool, and nothing else is in flight: only the receive of the reply is armed
//! again.
//!
//! Upstream: follows from recv_enobufs, whose caller passes the receiving direction for the sending one; not reported.
//! Size: 1 to 3 clients with up to 2 connections and 2 requests each, one at a time, 4 buffers of 16 bytes, which
//! a request does not use up; sockets of 48 bytes.
use crate::prelude::*;
use models::uring_proxy::{Ending, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Replies on the network that are larger than the pool of buffers";
    Scenario::on_network(
        "net_reply_finds_no_buffer",
        about,
        "axboe/liburing proxy.c recv_enobufs",
        plans,
        run_on_network,
    )
    .clean(Variant::Fixed)
    .violates(Variant::EnobufsWrongDir, "pending_recv has one operation pending")
    .sometimes(&["a receive finds no provided buffer"])
    .steps_max(60_000)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let clients = plan::visits((1, 3), 1, 60, Just(Ending::HalfClose));
    (clients, any::<bool>()).prop_map(|(mut clients, snd_msg)| {
        let bursts = clients.iter_mut().flatten().flat_map(|visit| &mut visit.bursts);
        bursts.for_each(|burst| (burst.is_get, burst.bytes) = (true, burst.bytes + 100));
        // A request takes up to 37 bytes.
        let options = Options { nr_bufs: 4, buf_size: 16, recv_mshot: true, snd_msg, ..Options::NETWORK };
        NetPlan { weather: Weather { window: 48, ..Weather::FAIR }, ..NetPlan::of(options, clients) }
    })
}
