//! Without faults, or with short delays only, every call is answered, and both ends have the same number of sockets.
//!
//! Upstream: client_lb_end2end_test.cc of 1.53.0; grpc/grpc#19357 kept sockets of subchannels that were not selected.
//! Size: up to 2 channels to 2 addresses of one host, up to 3 callers with 3 calls each, idle times between; a real h2
//! server; 2 pollers and timers.
use crate::prelude::*;
use models::subchannel::{
    Act, Call, ChannelPlan, NetPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, run_on_network,
};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Calls to two subchannels of one backend, with idle times between, are all answered";
    Scenario::on_network("net_calls_are_answered", about, "grpc/grpc#19357", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::UnselectedKept, "pick_first holds no subchannel that it did not select")
        .violates(Variant::WatcherNotStarted, "a READY Subchannel watches its transport")
        .sometimes(&["a call is answered", "both ends count two sockets", "everything comes to rest"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    let call = prop_oneof![2 => Just(Call::Wait), 1 => (1..200_u64).prop_map(Call::After)];
    let callers = prop::collection::vec(prop::collection::vec(call, 1..=3), 1..=3);
    let channel =
        (policy, callers).prop_map(|(policy, callers)| ChannelPlan { policy, addresses: vec![0, 1], callers });
    let stall = faults(2, &[FaultKind::Stall { ms: 20 }, FaultKind::Stall { ms: 50 }], 0..=1, 499);
    let hold = (0..200_u64, 1..=50_u64).prop_map(|(before_ms, ms)| Event::Hold(0).lasting(before_ms, ms).to_vec());
    let hold = prop_oneof![2 => Just(Vec::new()), 1 => hold];
    let channels = prop::collection::vec(channel, 1..=2);
    let teardown = prop_oneof![Just(Teardown::AtRest), Just(Teardown::Drained)];
    (channels, stall, hold, teardown, prop::bool::ANY).prop_map(|(channels, faults, events, teardown, short)| {
        let backends = vec![vec![vec![Step::Settings]]; 2];
        let (threads, acts) = (Threads::GRPC, vec![Act::Calls(5_000)]);
        let plan = Plan { threads, backends, channels, acts, teardown, ..Plan::smallest() };
        NetPlan { weather: Weather { faults, events, short, ..Weather::FAIR }, ..NetPlan::of(plan) }
    })
}
