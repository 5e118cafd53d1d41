//! Control: in v1.2.18 a second close is harmless, since `Close` frees the buffer at most once and puts nothing into a
//! pool.
//!
//! Upstream: lesismal/nbio v1.2.18, the version of #453, in which a double close in the handler cannot be the cause.
//! Size: up to 3 clients with 3 requests each, closed zero, one or two times; 2 workers. Small: 1 client, closed twice.
use crate::prelude::*;
use models::buffer_pool::{Client, CloseStyle, Ending, Plan, PlannedRequest, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A handler closes its body twice, with the Close of v1.2.18";
    let small = Client::of(vec![PlannedRequest::of(1, vec![Step::Close, Step::Close])]);
    Scenario::new("body_closed_twice_v1_2_18", about, "lesismal/nbio#453", plans, run)
        .clean(Variant::Fixed)
        .sometimes(&["a request is answered", "a buffer is handed out again"])
        .small(Plan { clients: vec![small], close_style: CloseStyle::NoBuffer, ..Plan::smallest() })
}

fn plans() -> impl Strategy<Value = Plan> {
    plan::clients((1, 3), plan::asks(3, plan::any_steps()), Just(Ending::Finish))
        .prop_map(|clients| Plan { close_style: CloseStyle::NoBuffer, ..Plan::of(clients) })
}
