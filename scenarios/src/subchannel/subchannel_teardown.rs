//! Concurrent teardown: channels are destroyed and servers end while calls, connection attempts and timers are pending.
//!
//! Upstream: grpc_channel_destroy and grpc_shutdown of 1.53.0; concurrent_connectivity_test.cc tests the same.
//! Size: up to 2 channels with 2 addresses, up to 3 callers with 2 calls each, up to 3 acts; 2 pollers and timers.
//! Small: one channel with one call, polled by the main thread.
use crate::prelude::*;
use models::subchannel::{
    Act, Call, ChannelPlan, Goaway, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run,
};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Concurrent teardown of channels, servers, calls and timers";
    Scenario::new("subchannel_teardown", about, "grpc/grpc concurrent_connectivity_test.cc", plans, run)
        .clean(Variant::Fixed)
        .sometimes(&["a call is answered", "a call fails", "a Subchannel is orphaned while it connects"])
        .small(small())
}

fn small() -> Plan {
    let channel = ChannelPlan { policy: PolicyName::PickFirst, addresses: vec![0], callers: vec![vec![Call::Wait]] };
    Plan { threads: Threads::NONE, channels: vec![channel], teardown: Teardown::AllAtOnce, ..Plan::smallest() }
}

fn plans() -> impl Strategy<Value = Plan> {
    let step = prop_oneof![
        4 => Just(Step::Settings),
        2 => Just(Step::Take(1)),
        2 => Just(Step::Answer),
        1 => Just(Step::Goaway(Goaway::NoError)),
        1 => Just(Step::Goaway(Goaway::TooManyPings)),
        1 => Just(Step::Fin),
        1 => Just(Step::Rst),
        1 => (1..30_000_u64).prop_map(Step::Pause),
    ];
    let steps = prop::collection::vec(step, 1..=4);
    let backends = prop::collection::vec(prop::collection::vec(steps, 0..=2), 2);
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    let addresses = prop_oneof![Just(vec![0]), Just(vec![0, 1]), Just(vec![1, 0])];
    let channel = (policy, addresses.clone(), plan::callers(2, 2))
        .prop_map(|(policy, addresses, callers)| ChannelPlan { policy, addresses, callers });
    let act = prop_oneof![
        (1..30_000_u64).prop_map(Act::Pause),
        (0..2_usize, addresses, 0..2_u32).prop_map(|(channel, addresses, args)| Act::Update {
            channel,
            addresses,
            args
        }),
        (0..2_usize).prop_map(Act::ResetBackoff),
        (0..2_usize).prop_map(Act::Destroy),
    ];
    let acts = prop::collection::vec(act, 0..=3);
    let keepalive = prop_oneof![Just(None), (10_000..20_000_u64).prop_map(Some)];
    (backends, prop::collection::vec(channel, 1..=2), acts, 1..=4_u32, keepalive).prop_map(
        |(backends, channels, acts, room, keepalive_ms)| {
            let (threads, teardown) = (Threads::GRPC, Teardown::AllAtOnce);
            Plan { threads, backends, room, keepalive_ms, channels, acts, teardown }
        },
    )
}
