//! Nothing goes wrong, or only for a moment: every call is answered, and both ends count the same sockets.
//!
//! Upstream: client_lb_end2end_test.cc of 1.53.0; grpc/grpc#19357 kept sockets of subchannels that were not selected.
//! Size: up to 2 channels to 2 addresses of one host, up to 3 callers with 3 calls each, idle times between; a real h2
//! server; 2 pollers and timers.
use crate::prelude::*;
use lastref::net::FaultKind;
use models::subchannel::{
    Call, ChannelPlan, Fault, NetworkPlan, OutageKind, Plan, PolicyName, Step, Teardown, Threads, Variant, simulation,
};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Calls to two subchannels of one backend, with idle times between, are all answered";
    Scenario::on_network("net_calls_are_answered", about, "grpc/grpc#19357", plans, simulation::run)
        .clean(Variant::Fixed)
        .violates(Variant::UnselectedKept, "pick_first has let go of the subchannels that it did not select")
        .violates(Variant::WatcherNotStarted, "a Subchannel watches the transport that it is READY by")
        .sometimes(&["a call is answered", "both ends count two sockets", "everything comes to rest"])
}

fn plans() -> impl Strategy<Value = NetworkPlan> {
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    let call = prop_oneof![2 => Just(Call::Wait), 1 => (1..200_u64).prop_map(Call::After)];
    let callers = prop::collection::vec(prop::collection::vec(call, 1..=3), 1..=3);
    let channel =
        (policy, callers).prop_map(|(policy, callers)| ChannelPlan { policy, addresses: vec![0, 1], callers });
    let stall = simulation::any_fault(2, &[FaultKind::Stall { ms: 20 }, FaultKind::Stall { ms: 50 }]);
    let hold = simulation::outages(1, &[OutageKind::Hold]).prop_map(|mut holds| {
        holds.iter_mut().for_each(|hold| (hold.after_ms, hold.ms) = (hold.after_ms.min(200), hold.ms.min(50)));
        holds
    });
    let hold = prop_oneof![2 => Just(Vec::new()), 1 => hold];
    let channels = prop::collection::vec(channel, 1..=2);
    let network = prop::collection::vec(stall, 0..=1);
    let teardown = prop_oneof![Just(Teardown::AtRest), Just(Teardown::Drained)];
    (channels, network, hold, teardown, prop::bool::ANY).prop_map(|(channels, network, outages, teardown, short)| {
        let backends = vec![vec![vec![Step::Settings]]; 2];
        let (threads, faults) = (Threads::GRPC, vec![Fault::Calls(5_000)]);
        let plan = Plan { threads, backends, channels, faults, teardown, ..Plan::smallest() };
        NetworkPlan { network, outages, short, ..NetworkPlan::of(plan) }
    })
}
