//! The garbage collector empties the pools between any two steps, and any pooled item may be the next one handed out.
//!
//! Upstream: sync.Pool's contract, on which every pool of nbio rests.
//! Size: up to 3 clients with 3 requests each, 1 to 6 collections, either allocator; wrapped bodies (#248); 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Act, Allocator, Ending, Pick, Plan, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A garbage collection empties the pools between any two steps";
    Scenario::new("collection_between_steps", about, "lesismal/nbio#248", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ClosePuts, "BodyReader is not used after its release")
        .sometimes(&[
            "a garbage collection empties a pool",
            "a wrapped body is closed by releaseRequest",
            "a buffer is handed out again",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let wrapped = Just(vec![Step::Wrap, Step::ReadAll]);
    let steps = prop_oneof![3 => plan::any_steps(), 1 => wrapped];
    let allocator = prop_oneof![Just(Allocator::MemPool), Just(Allocator::Aligned)];
    let acts = prop::collection::vec(Just(Act::Collect), 1..=6);
    let clients = plan::clients((1, 3), plan::asks(3, steps), Just(Ending::Finish));
    (clients, allocator, acts).prop_map(|(clients, allocator, acts)| Plan {
        pick: Pick::Any,
        allocator,
        acts,
        ..Plan::of(clients)
    })
}
