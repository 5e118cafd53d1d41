//! The network reads the buffers of zero-copy sends when it has space: until the notification, these buffers are
//! neither refilled nor freed, even if the connection is closed before.
//!
//! Upstream: commit a3aebee0 counts the notifications, but a buffer still returns to the receives before its
//! notification, and handle_close frees all buffers without checking the count. Both follow from the source; not
//! reported.
//! Size: 1 or 2 clients with up to 2 connections and 8 requests each, 4 buffers, sockets of 48 to 256 bytes; up to 2
//! FINs.
use crate::prelude::*;
use models::uring_proxy::{Backend, Ending, Leaves, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Zero-copy sends wait for a slow network, also after the close";
    Scenario::on_network("net_zero_copy", about, "axboe/liburing@a3aebee0", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::ReplenishBeforeNotif, "buf is touched only by its owner")
        .violates(Variant::CloseBeforeNotif, "buf is not used after its release")
        .violates(Variant::LateNotifWrongDir, "a notification is counted for the direction that sent")
        .sometimes(&["a notification is due after the close", "a client leaves with requests under way"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let leaves = prop_oneof![2 => Just(Leaves::WhenIdle), 1 => (1..=4_u32).prop_map(Leaves::Fin)];
    let sizes = (prop_oneof![Just(48_u32), Just(256)], 0..=2_u32);
    let fins = faults(6, &[FaultKind::HalfClose, FaultKind::Stall { ms: 30 }], 0..=2, 200);
    let clients = plan::visits((1, 2), 4, 8, prop_oneof![Just(Ending::HalfClose), Just(Ending::Drop)]);
    (clients, leaves, sizes, fins, any::<[bool; 2]>()).prop_map(
        |(clients, leaves, (socket_bytes, lag_ms), faults, [recv_mshot, snd_msg])| NetPlan {
            weather: Weather { faults, window: socket_bytes, ..Weather::SHORT },
            backend: Backend { lag_ms, piece: 32, leaves },
            ..NetPlan::of(Options { snd_zc: true, snd_msg, recv_mshot, nr_bufs: 4, ..Options::NETWORK }, clients)
        },
    )
}
