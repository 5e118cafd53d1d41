//! Resolver results arrive at every stage of a connection attempt; two Subchannels may then have one key.
//!
//! Upstream: grpc/grpc#32071, grpc/grpc#38871; the same addresses, other ones, other args, none.
//! Size: one channel, up to 4 results of which the last is the first again, up to 2 calls; 2 pollers and timers.
use crate::prelude::*;
use models::subchannel::{Act, ChannelPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The resolver's results change while a connection is being made";
    Scenario::new("resolver_update_while_connecting", about, "grpc/grpc#32071", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ConnectResultDroppedOnShutdown, "grpc_fd is released by quiescence")
        .violates(Variant::WatcherNotStarted, "a READY Subchannel watches its transport")
        .sometimes(&[
            "two Subchannels of one key are alive",
            "a connection is made for a Subchannel that was orphaned",
            "a state comes for a subchannel that its policy has let go",
            "a pending list is replaced by a newer one",
            "a resolver result with the same args comes during the handshake",
            "a resolver result with the same args comes before SETTINGS",
            "a resolver result with the same args comes before the notification",
            "a resolver result with other args comes during the handshake",
            "a resolver result with other args comes before SETTINGS",
            "a resolver result with other args comes before the notification",
            "an empty resolver result comes during the handshake",
            "an empty resolver result comes before SETTINGS",
            "an empty resolver result comes before the notification",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let addresses = prop_oneof![Just(vec![0]), Just(vec![1]), Just(vec![0, 1]), Just(Vec::new())];
    let update = (addresses, 0..2_u32).prop_map(|(addresses, args)| Act::Update { channel: 0, addresses, args });
    let policy = prop_oneof![2 => Just(PolicyName::PickFirst), 1 => Just(PolicyName::RoundRobin)];
    (prop::collection::vec(update, 1..=3), policy, plan::callers(1, 2)).prop_map(|(mut acts, policy, callers)| {
        // Last, so that no call is left waiting for an address.
        acts.push(Act::Update { channel: 0, addresses: vec![0], args: 0 });
        let channels = vec![ChannelPlan { policy, addresses: vec![0], callers }];
        let backends = vec![vec![vec![Step::Settings]], vec![vec![Step::Settings]]];
        Plan { threads: Threads::GRPC, backends, channels, acts, teardown: Teardown::AtRest, ..Plan::smallest() }
    })
}
