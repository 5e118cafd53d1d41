//! A channel is destroyed while its connection waits for SETTINGS: the connection must be closed with it.
//!
//! Upstream: grpc/grpc#38871 by inference, grpc/grpc#32071. The report's log is in the table: tcp unref 2->1, no
//! fd_orphan.
//! Size: up to 2 channels to one server, which closes its side in the end; 2 pollers. Small: one channel, one poller.
use crate::prelude::*;
use models::subchannel::{ChannelPlan, Plan, PolicyName, Step, Threads, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A channel is destroyed while its connection waits for SETTINGS";
    Scenario::new("channel_destroyed_while_connecting", about, "grpc/grpc#32071", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ConnectResultDroppedOnShutdown, "grpc_fd is released by quiescence")
        .loom_finds(&[Variant::ConnectResultDroppedOnShutdown])
        .sometimes(&[
            "a connection is made for a Subchannel that was orphaned",
            "a connector is shut down between handshake and SETTINGS",
            "a handshake is shut down before its connection is made",
            "a handshake succeeds after its connector was shut down",
            "a channel is closed during the handshake",
            "a channel is closed before SETTINGS",
            "a channel is closed before the notification",
        ])
        .small(Plan::smallest())
}

fn plans() -> impl Strategy<Value = Plan> {
    let policy = prop_oneof![3 => Just(PolicyName::PickFirst), 1 => Just(PolicyName::RoundRobin)];
    prop::collection::vec(policy, 1..=2).prop_map(|policies| {
        let channel = |policy| ChannelPlan { policy, addresses: vec![0], callers: Vec::new() };
        let channels = policies.into_iter().map(channel).collect();
        Plan { threads: Threads::GRPC, backends: vec![vec![vec![Step::Settings]]], channels, ..Plan::smallest() }
    })
}
