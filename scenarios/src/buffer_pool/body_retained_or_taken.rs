//! Control: after RetainHTTPBody or TakeOver the application owns the body, and frees it once, at any time.
//!
//! Upstream: RetainHTTPBody (#248), TakeOver (v1.2.18); the double close of the framework does not apply.
//! Size: up to 3 clients with 3 requests each, retained and closed late, or taken over; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Ending, Plan, PlannedRequest, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The application owns a body and frees it";
    Scenario::new("body_retained_or_taken", about, "lesismal/nbio#248", plans, run)
        .clean(Variant::Fixed)
        // RetainHTTPBody permits the late use that is the defect of this variant.
        .clean(Variant::LateCloseRetainedBody)
        .sometimes(&["a request is answered", "a buffer is handed out again"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let once = prop_oneof![
        Just(vec![Step::ReadAll, Step::Close]),
        Just(vec![Step::Read(1), Step::CloseLate]),
        Just(vec![Step::TakeOver, Step::Close]),
    ];
    let taken = prop_oneof![Just(vec![Step::TakeOver]), Just(vec![Step::TakeOver, Step::Close])];
    let asks = prop_oneof![
        plan::asks(3, once).prop_map(|asks| (true, asks)),
        plan::asks(3, taken).prop_map(|asks| (false, asks))
    ];
    prop::collection::vec(asks, 1..=3).prop_map(|clients| {
        let retain_http_body = clients.iter().all(|(retained, _)| *retained);
        let asks = clients.into_iter().filter(|(retained, _)| *retained == retain_http_body).map(|(_, asks)| asks);
        let clients = asks.map(|asks: Vec<PlannedRequest>| models::buffer_pool::Client {
            ending: Ending::Finish,
            ..models::buffer_pool::Client::of(asks)
        });
        Plan { retain_http_body, ..Plan::of(clients.collect()) }
    })
}
