//! Handlers close their bodies twice, and goroutines close and read them, also after the handler has returned, while
//! connections on the network are reset: no such use reaches a reader or a buffer of another request.
//!
//! Upstream: lesismal/nbio#502, before 00a897c; the rest follows from body.go of every version.
//! Size: 3 clients with up to 2 requests each; up to 2 resets or FINs at a byte; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Ending, NetPlan, Plan, Step, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Goroutines use bodies during and after their handlers, under resets";
    Scenario::on_network("net_bodies_used_late", about, "lesismal/nbio#502", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::LateCloseRetainedBody, "BodyReader is not used after its release")
        .violates(Variant::ReadAfterClose, "mempool buffer is not used after its release")
        .violates(Variant::ReadOverlapsClose, "BodyReader is accessed in order")
        .sometimes(&[
            "a body is used after its request was released",
            "a body is closed a second time",
            "a response finds its connection closed",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let steps = prop_oneof![
        Just(vec![Step::Close, Step::ReadAll]),
        Just(vec![Step::Read(1), Step::Close, Step::Read(2)]),
        Just(vec![Step::CloseElsewhere, Step::ReadAll]),
        Just(vec![Step::ReadAll, Step::CloseLate]),
        Just(vec![Step::Read(1), Step::ReadLate]),
    ];
    let clients = plan::clients((3, 3), plan::asks(2, steps), Just(Ending::Finish));
    let faults = faults(6, &[FaultKind::Reset, FaultKind::HalfClose], 0..=2, 300);
    (clients, faults).prop_map(|(clients, faults)| NetPlan {
        weather: Weather { faults, ..Weather::FAIR },
        ..NetPlan::of(Plan::of(clients))
    })
}
