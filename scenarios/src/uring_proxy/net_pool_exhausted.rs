//! Socket buffers are small and the server is slow, so replies and requests need more buffers than the pool has: each
//! receive continues on its own socket when a buffer returns, and every request is answered.
//!
//! Upstream: commits 4e642958 and c18c8fbc: a receive that hit -ENOBUFS was armed again by a send only.
//! Size: 1 or 2 clients with up to 2 connections and 12 requests each, 1 to 4 buffers, sockets of 48 to 256 bytes.
use crate::prelude::*;
use models::uring_proxy::{Backend, Ending, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A slow network and a small pool: -ENOBUFS in both directions, and every request is answered";
    Scenario::on_network("net_pool_exhausted", about, "axboe/liburing@4e642958, @c18c8fbc", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::NoRearmOnEnobufs, "a client that waits gets its replies")
        .sometimes(&["a receive finds no provided buffer", "a receive waited for a buffer to come back"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let sizes = (0..=2_u32, prop_oneof![Just(48_u32), Just(256)], 0..=2_u32);
    let stalls = faults(6, &[FaultKind::Stall { ms: 40 }], 0..=1, 200);
    (plan::visits((1, 2), 6, 24, Just(Ending::HalfClose)), sizes, stalls, any::<bool>()).prop_map(
        |(clients, (bufs, socket_bytes, lag_ms), faults, recv_mshot)| NetPlan {
            weather: Weather { faults, window: socket_bytes, ..Weather::SHORT },
            backend: Backend { lag_ms, piece: 64, ..NetPlan::BACKEND },
            ..NetPlan::of(Options { nr_bufs: 1 << bufs, recv_mshot, ..Options::NETWORK }, clients)
        },
    )
}
