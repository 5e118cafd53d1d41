//! A goroutine that outlives its handler closes or reads the body: this must not affect the request that has the pooled
//! reader by then.
//!
//! Upstream: follows from v1.2.18 and every version since; not reported.
//! Size: up to 3 clients with 2 requests each, each leaving a goroutine behind; 2 workers. Small: 1 client, 1 request.
use crate::prelude::*;
use models::buffer_pool::{Client, Ending, Plan, PlannedRequest, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let small = Client { ending: Ending::Abandon, ..Client::of(vec![PlannedRequest::of(0, vec![Step::CloseLate])]) };
    let about = "A body is closed after its handler has returned";
    Scenario::new("late_close_of_body", about, "lesismal/nbio@v1.5.12", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::LateCloseRetainedBody, "BodyReader is not used after its release")
        .loom_finds(&[Variant::LateCloseRetainedBody])
        .sometimes(&["a body is used after its request was released", "a request is answered"])
        .small(Plan { clients: vec![small], ..Plan::smallest() })
}

fn plans() -> impl Strategy<Value = Plan> {
    let late = prop_oneof![Just(Step::CloseLate), Just(Step::ReadLate)];
    let steps = (prop_oneof![Just(Step::Read(1)), Just(Step::ReadAll)], late).prop_map(|(read, late)| vec![read, late]);
    plan::clients((1, 3), plan::asks(2, steps), Just(Ending::Finish)).prop_map(Plan::of)
}
