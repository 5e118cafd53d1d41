//! Servers never close a connection: when the channels are destroyed, the client itself closes their descriptors.
//!
//! Upstream: grpc/grpc#38871, grpc/grpc#18043, and grpc-go#4751 for the same promise in another language.
//! Size: up to 2 channels with 2 addresses, up to 2 calls, up to 3 acts; 2 pollers and timers.
use crate::prelude::*;
use models::subchannel::{Act, ChannelPlan, Goaway, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Channels are destroyed at any moment while their servers keep running";
    Scenario::new("no_socket_without_channel", about, "grpc/grpc#38871", plans, run)
        .clean(Variant::Fixed)
        .violates(
            Variant::ConnectResultDroppedOnShutdown,
            "no descriptor is open at quiescence after every channel is destroyed",
        )
        .sometimes(&[
            "a Subchannel is orphaned while it connects",
            "a connection is made for a Subchannel that was orphaned",
            "a connector is shut down between handshake and SETTINGS",
            "a handshake is shut down before its connection is made",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let goaway = Step::Goaway(Goaway::NoError);
    let first = prop_oneof![
        2 => Just(vec![Step::Settings]),
        1 => Just(vec![Step::Pause(1), Step::Settings]),
        1 => Just(vec![Step::Ignore]),
        1 => Just(vec![Step::Settings, goaway]),
        1 => Just(vec![Step::Settings, Step::Take(1), goaway, Step::Answer]),
    ];
    let backends = prop::collection::vec(prop::collection::vec(first, 1..=2), 2);
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    let addresses = prop_oneof![Just(vec![0]), Just(vec![0, 1]), Just(vec![1, 0])];
    let callers = prop_oneof![Just(Vec::new()), plan::callers(1, 2)];
    let channel = (policy, addresses.clone(), callers).prop_map(|(policy, addresses, callers)| ChannelPlan {
        policy,
        addresses,
        callers,
    });
    let act = prop_oneof![
        1 => (0..2_usize, addresses).prop_map(|(channel, addresses)| Act::Update { channel, addresses, args: 0 }),
        2 => (0..2_usize).prop_map(Act::Destroy),
    ];
    let acts = prop::collection::vec(act, 0..=3);
    (backends, prop::collection::vec(channel, 1..=2), acts).prop_map(|(backends, channels, acts)| {
        let teardown = Teardown::Drained;
        Plan { threads: Threads::GRPC, backends, channels, acts, teardown, ..Plan::smallest() }
    })
}
