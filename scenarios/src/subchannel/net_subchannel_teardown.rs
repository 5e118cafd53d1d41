//! A concurrent teardown: channels are destroyed and a real server ends while calls and connection attempts are in
//! progress.
//!
//! Upstream: grpc_channel_destroy and grpc_shutdown of 1.53.0; concurrent_connectivity_test.cc tests the same.
//! Size: up to 2 channels with 2 addresses of one host, up to 2 callers with 2 calls each, up to 3 acts, 2 faults.
use crate::prelude::*;
use models::subchannel::{
    Act, ChannelPlan, Goaway, NetPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run_on_network,
};

const OUTAGES: &[Event] = &[Event::Hold(0), Event::Partition(0), Event::Crash(0)];

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Concurrent teardown of channels, sockets, server, calls and timers";
    let upstream = "grpc/grpc concurrent_connectivity_test.cc";
    Scenario::on_network("net_subchannel_teardown", about, upstream, plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::ConnectResultDroppedOnShutdown, "every socket is closed at quiescence")
        .sometimes(&["a call is answered", "a call fails", "a Subchannel is orphaned while it connects"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let step = prop_oneof![
        2 => Just(Step::Take(1)),
        2 => Just(Step::Answer),
        1 => Just(Step::Goaway(Goaway::NoError)),
        1 => Just(Step::Goaway(Goaway::TooManyPings)),
        1 => Just(Step::Fin),
        1 => (1..30_000_u64).prop_map(Step::Pause),
    ];
    let steps = prop::collection::vec(step, 0..=3).prop_map(|rest| [vec![Step::Settings], rest].concat());
    let backends = prop::collection::vec(prop::collection::vec(steps, 0..=2), 2);
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    let addresses = prop_oneof![Just(vec![0]), Just(vec![0, 1]), Just(vec![1, 0])];
    let channel = (policy, addresses.clone(), plan::callers(2, 2))
        .prop_map(|(policy, addresses, callers)| ChannelPlan { policy, addresses, callers });
    let act = prop_oneof![
        2 => (1..20_u64).prop_map(Act::Pause),
        1 => (0..2_usize, addresses, 0..2_u32)
            .prop_map(|(channel, addresses, args)| Act::Update { channel, addresses, args }),
        1 => (0..2_usize).prop_map(Act::Destroy),
    ];
    let acts = prop::collection::vec(act, 0..=3);
    let network = faults(3, &FaultKind::OF_CONNECTIONS, 0..=2, 499);
    let outages = prop_oneof![2 => Just(Vec::new()), 1 => plan::outages(1, OUTAGES)];
    let channels = prop::collection::vec(channel, 1..=2);
    (backends, channels, acts, network, outages, 1..=4_u32).prop_map(
        |(backends, channels, acts, network, outages, room)| {
            // A blackholed connection ends only by an unanswered keepalive ping.
            let (threads, keepalive_ms, teardown) = (Threads::GRPC, Some(10_000), Teardown::AllAtOnce);
            let plan = Plan { threads, backends, room, keepalive_ms, channels, acts, teardown };
            NetPlan { weather: Weather { faults: network, events: outages, ..Weather::FAIR }, ..NetPlan::of(plan) }
        },
    )
}
