//! Concurrent teardown on the network: the engine stops while clients connect, send, wait and linger; some of their
//! connections are refused, hang or are reset.
//!
//! Upstream: Engine.Stop of v1.5.12.
//! Size: 3 or 4 clients with up to 2 requests each, half of them lingering; up to 2 faults of connections; collections;
//! 2 pollers, 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Act, Ending, NetPlan, Plan, Step, Threads, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Concurrent teardown: the engine stops under its clients on the network";
    Scenario::on_network("net_engine_teardown", about, "lesismal/nbio@v1.5.12", plans, run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&[
            "the engine is stopped under a connection",
            "a client is refused",
            "a connection closes with a request half parsed",
            "a request is answered",
            "a response finds its connection closed",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ending =
        prop_oneof![2 => Just(Ending::Linger), 1 => Just(Ending::Finish), 1 => (1..16_u32).prop_map(Ending::Reset)];
    let late = Just(vec![Step::ReadAll, Step::CloseLate]);
    let steps = prop_oneof![4 => plan::any_steps(), 1 => late];
    // The first connections reach the listener after four to eight milliseconds.
    let pause = prop_oneof![3 => 4..9_u64, 1 => 9..40_u64].prop_map(Act::Pause);
    let before = (prop::collection::vec(Just(Act::Collect), 0..=1), pause);
    let kinds = [FaultKind::Reset, FaultKind::Refuse, FaultKind::Hang];
    let clients = plan::clients((3, 4), plan::asks(2, steps), ending);
    let backlog = prop_oneof![Just(1), Just(128)];
    (clients, before, faults(6, &kinds, 0..=2, 300), backlog).prop_map(
        |(clients, (mut before, pause), faults, backlog)| {
            before.extend([pause, Act::Stop]);
            let threads = Threads { pollers: 2, ..Threads::NBIO };
            NetPlan {
                weather: Weather { faults, backlog, ..Weather::SHORT },
                ..NetPlan::of(Plan { threads, window: 4, short: true, acts: before, ..Plan::of(clients) })
            }
        },
    )
}
