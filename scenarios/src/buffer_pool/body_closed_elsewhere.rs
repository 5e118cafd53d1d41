//! A goroutine closes the body that the handler is reading: the read completes first, or returns EOF.
//!
//! Upstream: follows from body.go of every version, whose methods take no lock; #502 describes a Close during a Read.
//! Size: up to 3 clients with 2 requests each, a goroutine each; 2 workers. Small: 1 client, 1 request.
use crate::prelude::*;
use models::buffer_pool::{Client, Ending, Plan, PlannedRequest, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let small = Client::of(vec![PlannedRequest::of(1, vec![Step::CloseElsewhere, Step::Read(1)])]);
    let about = "A body is closed by one goroutine and read by another";
    Scenario::new("body_closed_elsewhere", about, "lesismal/nbio#502", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ReadOverlapsClose, "BodyReader is accessed in order")
        .loom_finds(&[Variant::ReadOverlapsClose])
        .sometimes(&["a handler reads the whole body", "a body is closed a second time"])
        .small(Plan { clients: vec![small], ..Plan::smallest() })
}

fn plans() -> impl Strategy<Value = Plan> {
    let read = prop_oneof![Just(Step::ReadAll), Just(Step::Read(1)), Just(Step::Close)];
    let steps = read.prop_map(|read| vec![Step::CloseElsewhere, read]);
    plan::clients((1, 3), plan::asks(2, steps), Just(Ending::Finish)).prop_map(Plan::of)
}
