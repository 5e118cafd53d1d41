//! One key, two Subchannels: one is orphaned with its attempt in progress, the other is in use. That is correct.
//!
//! Upstream: grpc/grpc#38871, whose reporter saw two; global_subchannel_pool.cc of 1.53.0. Negative control.
//! Size: two channels, one of which is destroyed while the other needs the same key, up to 2 calls; 2 pollers.
use crate::prelude::*;
use models::subchannel::{Act, ChannelPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A Subchannel is created while another with its key is being destroyed";
    Scenario::new("two_subchannels_of_one_key", about, "grpc/grpc#38871", plans, run).clean(Variant::Fixed).sometimes(
        &[
            "two Subchannels of one key are alive",
            "a connection is made for a Subchannel that was orphaned",
            "a channel is closed before SETTINGS",
            "a call is answered",
        ],
    )
}

fn plans() -> impl Strategy<Value = Plan> {
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    (policy, plan::callers(1, 2), 0..2_u64).prop_map(|(policy, callers, ms)| {
        let leaves = ChannelPlan { policy, addresses: vec![0], callers: Vec::new() };
        let comes = ChannelPlan { policy, addresses: Vec::new(), callers };
        let acts = vec![Act::Pause(ms), Act::Destroy(0), Act::Update { channel: 1, addresses: vec![0], args: 0 }];
        let backends = vec![vec![vec![Step::Settings, Step::Pause(1)], vec![Step::Settings]]];
        let (channels, teardown) = (vec![leaves, comes], Teardown::Drained);
        Plan { threads: Threads::GRPC, backends, channels, acts, teardown, ..Plan::smallest() }
    })
}
