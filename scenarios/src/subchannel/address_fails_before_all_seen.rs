//! A resolver result names an address whose attempt is failing, and a second one: the second gets its turn and is asked
//! to connect.
//!
//! Upstream: pick_first.cc of 1.53.0, from whose source it follows; not reported.
//! Size: one or two channels to two servers of which the first refuses, an update to both; 2 pollers and timers.
use crate::prelude::*;
use models::subchannel::{Act, ChannelPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "An address fails before pick_first knows the states of all";
    Scenario::new("address_fails_before_all_seen", about, "grpc/grpc pick_first.cc 1.53.0", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::AttemptMovesPastUnseen, "pick_first requests a connection to the address whose turn it is")
        .sometimes(&[
            "an address fails before the states of all are known",
            "a resolver result with the same args comes during the handshake",
            "everything comes to rest",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    (2..=4_usize, 0..=1_usize).prop_map(|(refused, others)| {
        let channel = ChannelPlan { policy: PolicyName::PickFirst, addresses: vec![0], callers: Vec::new() };
        let channels = vec![channel; 1 + others];
        let backends = vec![vec![vec![Step::Refuse]; refused], vec![vec![Step::Settings]]];
        let acts = vec![Act::Update { channel: 0, addresses: vec![0, 1], args: 0 }];
        Plan { threads: Threads::GRPC, backends, channels, acts, teardown: Teardown::AtRest, ..Plan::smallest() }
    })
}
