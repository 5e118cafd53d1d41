//! Several clients pipeline requests over connections that at worst stall for a while: each client gets all of its
//! answers, and only its own.
//!
//! Upstream: lesismal/nbio#445 (the double close), 2cb6cc2 (Append); the panic follows from processor.go.
//! Size: 3 or 4 clients with up to 4 pipelined requests each, on up to 2 connections; no fault, or up to 2
//! stalls and short partitions; every pooled object is followed; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Allocator, Ending, NetPlan, Pick, Plan, Step, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Pipelining clients on the network get all of their answers, and only their own";
    Scenario::on_network("net_pipelined_clients", about, "lesismal/nbio#445", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::ClosePuts, "BodyReader is not used after its release")
        .violates(Variant::AppendNoFreeOld, "mempool buffer is released by quiescence")
        .violates(Variant::HandlerPanicKeepsRequest, "http.Request is released by quiescence")
        .sometimes(&[
            "a body is closed a second time",
            "a job waits for the job before it",
            "a handler panics",
            "a request comes in pieces",
            "a body is echoed to its end",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let panics = Just(vec![Step::Read(1), Step::Panic]);
    let taken = Just(vec![Step::TakeOver, Step::Close]);
    let wrapped = Just(vec![Step::Wrap, Step::ReadAll]);
    let steps = prop_oneof![5 => plan::any_steps(), 1 => panics, 1 => taken, 1 => wrapped];
    let allocator = prop_oneof![Just(Allocator::MemPool), Just(Allocator::Aligned)];
    let pick = prop_oneof![Just(Pick::Lifo), Just(Pick::Any)];
    let ending = prop_oneof![3 => Just(Ending::Finish), 1 => Just(Ending::Abandon)];
    let clients = plan::clients((3, 4), plan::asks(4, steps), ending);
    let silence = [FaultKind::Stall { ms: 30 }, FaultKind::Partition { ms: 30 }, FaultKind::Hold { ms: 30 }];
    let faults = faults(6, &silence, 0..=2, 300);
    (clients, allocator, pick, 4..=64_u32, faults).prop_map(|(mut clients, allocator, pick, window, faults)| {
        clients.iter_mut().for_each(|client| client.pipelined = true);
        NetPlan {
            weather: Weather { faults, ..Weather::SHORT },
            ..NetPlan::of(Plan { allocator, pick, window, short: true, ..Plan::of(clients) })
        }
    })
}
