//! The engine stops while its listener accepts a connection: that connection is closed as well.
//!
//! Upstream: follows from Engine.Stop of v1.5.12, which closes the listeners and does not wait for them; not reported.
//! Size: up to 4 clients with a request each, a pause or none; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Act, Ending, Plan, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The engine is stopped while a connection is accepted";
    Scenario::new("stop_while_accepting", about, "lesismal/nbio@v1.5.12", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::StopMissesAcceptedConn, "connsUnix is empty when the engine has stopped")
        .sometimes(&["the engine is stopped under a connection", "a client is refused", "a request is answered"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let pause = prop_oneof![Just(vec![Act::Stop]), (1..9_u64).prop_map(|ms| vec![Act::Pause(ms), Act::Stop])];
    let clients = plan::clients((1, 4), plan::asks(1, Just(vec![Step::ReadAll])), Just(Ending::Finish));
    (clients, pause).prop_map(|(clients, acts)| Plan { acts, ..Plan::of(clients) })
}
