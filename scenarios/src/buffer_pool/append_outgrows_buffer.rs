//! Octets that outgrow their buffer move to a larger one, and the smaller one is freed.
//!
//! Upstream: lesismal/nbio@2cb6cc2 (v1.5.4), the aligned allocator; the parser's cache and the response grow by
//! `Append`.
//! Size: up to 2 clients with 3 requests each, in small segments; 2 workers. Small: 1 client, 1 request in 2 segments.
use crate::prelude::*;
use models::buffer_pool::{Allocator, Client, Ending, Plan, PlannedRequest, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let small = Client::of(vec![PlannedRequest::of(4, vec![Step::ReadAll])]);
    let about = "An append exceeds the capacity of its buffer";
    Scenario::new("append_outgrows_buffer", about, "lesismal/nbio@2cb6cc2", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::AppendNoFreeOld, "mempool buffer is released by quiescence")
        .loom_finds(&[Variant::AppendNoFreeOld])
        .sometimes(&["an append moves to a larger buffer", "a request comes in pieces", "a body is echoed to its end"])
        .small(Plan { allocator: Allocator::Aligned, clients: vec![small], ..Plan::smallest() })
}

fn plans() -> impl Strategy<Value = Plan> {
    plan::clients((1, 2), plan::asks(3, Just(vec![Step::ReadAll])), Just(Ending::Finish)).prop_map(|clients| Plan {
        allocator: Allocator::Aligned,
        short: true,
        ..Plan::of(clients)
    })
}
