//! Backoff is reset while the retry timer is about to fire: the Subchannel becomes IDLE once, not twice.
//!
//! Upstream: Subchannel::ResetBackoff and OnRetryTimer of 1.53.0; doc/connection-backoff.md.
//! Size: one channel to a server that refuses up to 3 times, up to 3 resets; 2 pollers and timers.
use crate::prelude::*;
use models::subchannel::{Act, ChannelPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Backoff is reset while the retry timer is about to fire";
    Scenario::new("backoff_reset_races_retry", about, "grpc/grpc subchannel.cc 1.53.0", plans, run)
        .clean(Variant::Fixed)
        .sometimes(&[
            "backoff is reset while the retry timer is on its way",
            "a retry timer finds its Subchannel orphaned",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let act = prop_oneof![1 => (700..1_300_u64).prop_map(Act::Pause), 2 => Just(Act::ResetBackoff(0))];
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    (1..=3_usize, prop::collection::vec(act, 1..=4), policy).prop_map(|(refused, acts, policy)| {
        let channels = vec![ChannelPlan { policy, addresses: vec![0], callers: Vec::new() }];
        let (backends, teardown) = (vec![vec![vec![Step::Refuse]; refused]], Teardown::InTurn);
        Plan { threads: Threads::GRPC, backends, channels, acts, teardown, ..Plan::smallest() }
    })
}
