//! A handler panics, and the engine continues: the request, the body and the response return to their pools.
//!
//! Upstream: follows from conn.go execute, which recovers, and processor.go, which defers nothing; not reported.
//! Size: up to 3 clients with 3 requests each, some of whose handlers panic at one point or another; 2 workers.
//! Small: 1 client, 1 request.
use crate::prelude::*;
use models::buffer_pool::{Client, Ending, Plan, PlannedRequest, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let small = Client::of(vec![PlannedRequest::of(1, vec![Step::Panic])]);
    Scenario::new("handler_panics", "A handler panics, and nbio recovers", "lesismal/nbio@v1.5.12", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::HandlerPanicKeepsRequest, "http.Request is released by quiescence")
        .loom_finds(&[Variant::HandlerPanicKeepsRequest])
        .sometimes(&["a handler panics", "a request is answered", "a job waits for the job before it"])
        .small(Plan { clients: vec![small], ..Plan::smallest() })
}

fn plans() -> impl Strategy<Value = Plan> {
    let steps = prop_oneof![
        Just(vec![Step::ReadAll]),
        Just(vec![Step::Panic]),
        Just(vec![Step::Read(1), Step::Panic]),
        Just(vec![Step::Close, Step::Panic]),
    ];
    plan::clients((1, 3), plan::asks(3, steps), Just(Ending::Finish)).prop_map(Plan::of)
}
