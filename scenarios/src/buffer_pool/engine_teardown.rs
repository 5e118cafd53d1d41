//! Concurrent teardown: the engine stops while clients connect, send, wait for answers and linger.
//!
//! Upstream: Engine.Stop of v1.5.12.
//! Size: up to 4 clients with 2 requests each, half of them lingering, some resetting; collections; 2 pollers, 2
//! workers.
use crate::prelude::*;
use models::buffer_pool::{Act, Ending, Plan, Step, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The engine stops while its clients are active";
    Scenario::new("engine_teardown", about, "lesismal/nbio@v1.5.12", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ExecuteRefusedNoFree, "http.Request is released by quiescence")
        .sometimes(&[
            "the engine is stopped under a connection",
            "a client is refused",
            "a connection closes with a request half parsed",
            "a request is answered",
            "a response finds its connection closed",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let ending = prop_oneof![
        2 => Just(Ending::Linger),
        1 => Just(Ending::Finish),
        1 => (1..16_u32).prop_map(Ending::Reset),
    ];
    let late = Just(vec![Step::ReadAll, Step::CloseLate]);
    let steps = prop_oneof![4 => plan::any_steps(), 1 => late];
    let act = prop_oneof![Just(Act::Collect), (1..9_u64).prop_map(Act::Pause)];
    let acts = prop::collection::vec(act, 0..=2);
    (plan::clients((1, 4), plan::asks(2, steps), ending), acts).prop_map(|(clients, mut acts)| {
        acts.push(Act::Stop);
        Plan { threads: Threads { pollers: 2, ..Threads::NBIO }, window: 4, short: true, acts, ..Plan::of(clients) }
    })
}
