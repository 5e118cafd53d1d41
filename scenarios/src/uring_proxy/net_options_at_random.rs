//! Random combinations of the proxy's options and of connection faults, including those that no other scenario has.
//!
//! Upstream: proxy.c's command line, nearly all of whose options can be combined.
//! Size: 1 to 3 clients with up to 2 connections and 12 requests each; up to 3 faults of any kind; 1 to 8 buffers; a
//! backlog of 1 or more.
use crate::prelude::*;
use models::uring_proxy::{Act, Backend, Ending, Leaves, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Any combination of options and network faults";
    Scenario::on_network("net_options_at_random", about, "axboe/liburing proxy.c", plans, run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&["a client is refused", "a completion finds the queue full"])
        .steps_max(60_000)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ending = prop_oneof![2 => Just(Ending::HalfClose), 1 => Just(Ending::Drop), 1 => Just(Ending::Linger)];
    let leaves = prop_oneof![
        2 => Just(Leaves::WhenIdle),
        1 => (1..=6_u32).prop_map(Leaves::Fin),
        1 => (1..=6_u32).prop_map(Leaves::Drop),
    ];
    let acts = prop_oneof![Just(Vec::new()), (0..80_u32).prop_map(|ms| vec![Act::Pause(u64::from(ms)), Act::StopAll])];
    let around = (leaves, 0..=2_u32, 1..=3_u32, acts);
    let sizes = (0..=3_u32, 16..=48_u32, 2..=64_u32, 2..=8_u32, prop_oneof![Just(32_u32), Just(4096)]);
    let faults = faults(6, &FaultKind::OF_CONNECTIONS, 0..=3, 300);
    (plan::visits((1, 3), 6, 16, ending), faults, around, sizes, any::<[bool; 10]>()).prop_map(
        |(clients, faults, (leaves, lag_ms, backlog, acts), sizes, flags)| {
            let [recv_mshot, bidi, send_ring, rcv_bundle, snd_bundle, snd_msg, snd_zc, buf_ring_inc, ext_stat, short] =
                flags;
            let (bufs, buf_size, cq_entries, ring_size, socket_bytes) = sizes;
            let sizes = Options { nr_bufs: 1 << bufs, buf_size, cq_entries, ring_size, ..Options::NETWORK };
            let send = Options { send_ring, snd_bundle, snd_msg, snd_zc, ..sizes };
            let options = Options { recv_mshot, bidi, rcv_bundle, buf_ring_inc, ext_stat, ..send };
            let backend = Backend { lag_ms, piece: 64, leaves };
            NetPlan {
                weather: Weather { faults, backlog, window: socket_bytes, short, ..Weather::FAIR },
                acts,
                backend,
                ..NetPlan::of(options, clients)
            }
        },
    )
}
