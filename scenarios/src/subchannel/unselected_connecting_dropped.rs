//! pick_first drops an address during its connection attempt because another one is READY: that connection must be
//! closed.
//!
//! Upstream: grpc/grpc#38871 by inference, grpc/grpc#32071; `round_robin_keeps_connecting` is the same with
//! round_robin.
//! Size: a channel to two servers, another one to the second of them, up to 2 calls; 2 pollers.
use crate::prelude::*;
use models::subchannel::{Call, ChannelPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "pick_first finds another address READY while it connects to the first";
    Scenario::new("unselected_connecting_dropped", about, "grpc/grpc#38871", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ConnectResultDroppedOnShutdown, "grpc_fd is released by quiescence")
        .sometimes(&[
            "a Subchannel is orphaned while it connects",
            "a connection is made for a Subchannel that was orphaned",
            "everything comes to rest",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    plans_with(PolicyName::PickFirst)
}

/// The same plans, with the first channel's policy given.
pub(crate) fn plans_with(policy: PolicyName) -> impl Strategy<Value = Plan> {
    // The first server is slow, so that the second one's connection is often the first.
    let slow = prop_oneof![1 => Just(vec![Step::Settings]), 3 => Just(vec![Step::Pause(1), Step::Settings])];
    (prop::collection::vec(Just(Call::Wait), 0..=2), slow).prop_map(move |(calls, slow)| {
        let callers = vec![calls];
        let channels = vec![
            ChannelPlan { policy, addresses: vec![1, 0], callers },
            ChannelPlan { policy: PolicyName::PickFirst, addresses: vec![0], callers: Vec::new() },
        ];
        let backends = vec![vec![vec![Step::Settings]], vec![slow]];
        Plan { threads: Threads::GRPC, backends, channels, teardown: Teardown::AtRest, ..Plan::smallest() }
    })
}
