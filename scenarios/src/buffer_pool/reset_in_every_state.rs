//! A client resets or closes while its request is half parsed, queued, read or answered: the server releases all of its
//! pooled objects.
//!
//! Upstream: Parser.CloseAndClean, Conn.closeWithErrorWithoutLock; more detail in lesismal/nbio#419.
//! Size: up to 4 clients with 3 requests each, most of them gone after 1 to 30 octets; short writes; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Ending, Pick, Plan, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Clients reset at every stage of a request";
    Scenario::new("reset_in_every_state", about, "lesismal/nbio#419", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ExecuteRefusedNoFree, "http.Request is released by quiescence")
        .sometimes(&[
            "a connection closes with a request half parsed",
            "a connection closes with octets cached",
            "a complete request finds its connection closed",
            "a response finds its connection closed",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let ending =
        prop_oneof![1 => Just(Ending::Finish), 1 => Just(Ending::Abandon), 4 => (1..30_u32).prop_map(Ending::Reset)];
    let pick = prop_oneof![Just(Pick::Lifo), Just(Pick::Any)];
    let clients = plan::clients((1, 4), plan::asks(3, plan::any_steps()), ending);
    (clients, pick, 2..=8_u32).prop_map(|(clients, pick, window)| Plan {
        pick,
        window,
        short: true,
        ..Plan::of(clients)
    })
}
