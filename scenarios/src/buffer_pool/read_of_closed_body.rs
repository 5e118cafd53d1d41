//! A read of a closed body returns EOF: its buffers belong to other requests.
//!
//! Upstream: lesismal/nbio#502, before 00a897c; upstream's test is TestBodyReaderReadAfterClose.
//! Size: up to 3 clients with 2 requests each, whose handlers close and then read; 2 workers. Small: 1 client, 1
//! request.
use crate::prelude::*;
use models::buffer_pool::{Client, Ending, Plan, PlannedRequest, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let small = Client::of(vec![PlannedRequest::of(2, vec![Step::Read(1), Step::Close, Step::ReadAll])]);
    Scenario::new("read_of_closed_body", "A handler reads a body that is closed", "lesismal/nbio#502", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ReadAfterClose, "mempool buffer is not used after its release")
        .loom_finds(&[Variant::ReadAfterClose])
        .sometimes(&["a request is answered", "a body is closed a second time"])
        .small(Plan { clients: vec![small], ..Plan::smallest() })
}

fn plans() -> impl Strategy<Value = Plan> {
    let steps = prop_oneof![
        Just(vec![Step::Close, Step::ReadAll]),
        Just(vec![Step::Read(1), Step::Close, Step::Read(2), Step::Close]),
        Just(vec![Step::CloseElsewhere, Step::ReadAll]),
        Just(vec![Step::ReadAll, Step::Close, Step::Read(1)]),
    ];
    plan::clients((1, 3), plan::asks(2, steps), Just(Ending::Finish)).prop_map(Plan::of)
}
