//! A handler closes the body that the framework closes too: the reader goes back into its pool once.
//!
//! Upstream: lesismal/nbio#445 and #453, v1.5.4 to v1.5.11; the cause, at the first wrong call.
//! Size: up to 3 clients with 3 requests each, closed zero, one or two times; 2 workers. Small: 1 client, 1 request, 1
//! worker.
use crate::prelude::*;
use models::buffer_pool::{Client, Ending, Plan, PlannedRequest, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A handler closes a body that the framework closes too";
    Scenario::new("body_closed_twice", about, "lesismal/nbio#445", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ClosePuts, "BodyReader is not used after its release")
        .loom_finds(&[Variant::ClosePuts])
        .sometimes(&["a request is answered", "a body is closed a second time", "a buffer is handed out again"])
        .small(Plan { clients: vec![Client::of(vec![PlannedRequest::of(1, vec![Step::Close])])], ..Plan::smallest() })
}

fn plans() -> impl Strategy<Value = Plan> {
    plan::clients((1, 3), plan::asks(3, plan::any_steps()), Just(Ending::Finish)).prop_map(Plan::of)
}
