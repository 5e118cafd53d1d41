//! Clients on the network read slowly, or their connections stall: octets that do not fit into a socket wait in pooled
//! buffers, are flushed in order, and are freed once.
//!
//! Upstream: lesismal/nbio@b836026 and e9257e7 (the tail of the write cache); conn_unix.go newToWriteBuf and flush.
//! Size: 3 clients with up to 3 requests each; a window of 1 to 4 octets before sockets of 32 to 64 bytes; up to 3
//! stalls; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Allocator, Ending, NetPlan, Plan, Step, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Connections stall, and clients read more slowly than the server writes";
    Scenario::on_network("net_slow_clients", about, "lesismal/nbio@b836026", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::WriteTailNotFreed, "mempool buffer is released by quiescence")
        .sometimes(&[
            "a response is written in part",
            "the tail of the write list moves to a larger buffer",
            "a body is echoed to its end",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let steps = prop_oneof![Just(vec![Step::ReadAll]), Just(vec![Step::ContentLength, Step::ReadAll])];
    let ending = prop_oneof![3 => Just(Ending::Finish), 1 => (8..24_u32).prop_map(Ending::Reset)];
    let allocator = prop_oneof![Just(Allocator::MemPool), Just(Allocator::Aligned)];
    let clients = plan::clients((3, 3), plan::asks(3, steps), ending);
    let stalls = faults(6, &[FaultKind::Stall { ms: 30 }], 0..=3, 300);
    (clients, 1..=4_u32, allocator, 32..=64_u32, stalls).prop_map(
        |(clients, window, allocator, socket_bytes, faults)| {
            let base = Plan { window, short: true, allocator, ..Plan::of(clients) };
            NetPlan { weather: Weather { window: socket_bytes, faults, ..Weather::SHORT }, ..NetPlan::of(base) }
        },
    )
}
