//! A client reads slowly: octets that the kernel does not accept wait in pooled buffers, are flushed in order, and are
//! freed once.
//!
//! Upstream: lesismal/nbio@b836026 and e9257e7 (the tail of the write cache); conn_unix.go newToWriteBuf and flush.
//! Size: up to 3 clients with 3 requests each, a window of 1 to 4 octets, short writes; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Allocator, Ending, Plan, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A client reads more slowly than the server writes";
    Scenario::new("slow_reader", about, "lesismal/nbio@b836026", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::WriteTailNotFreed, "mempool buffer is released by quiescence")
        .sometimes(&[
            "a response is written in part",
            "the tail of the write list moves to a larger buffer",
            "a connection closes with something left to write",
            "a body is echoed to its end",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let steps = prop_oneof![Just(vec![Step::ReadAll]), Just(vec![Step::ContentLength, Step::ReadAll])];
    let ending = prop_oneof![3 => Just(Ending::Finish), 1 => (8..24_u32).prop_map(Ending::Reset)];
    let allocator = prop_oneof![Just(Allocator::MemPool), Just(Allocator::Aligned)];
    let clients = plan::clients((1, 3), plan::asks(3, steps), ending);
    (clients, 1..=4_u32, allocator).prop_map(|(clients, window, allocator)| Plan {
        window,
        short: true,
        allocator,
        ..Plan::of(clients)
    })
}
