//! A channel is READY, and the resolver sends it to a server that refuses: pick_first drops its connection and fails.
//!
//! Upstream: pick_first.cc ProcessConnectivityChangeLocked of 1.53.0, a pending list of which every address has failed.
//! Size: one channel, 1 or 2 new addresses that refuse up to twice, up to 2 calls before and 1 after; 2 pollers.
use crate::prelude::*;
use models::subchannel::{Act, Call, ChannelPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The resolver sends a READY channel to a server that refuses";
    Scenario::new("update_to_refusing_address", about, "grpc/grpc pick_first.cc 1.53.0", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::SelectedLeftBehind, "pick_first selects a READY subchannel of its present list")
        .sometimes(&[
            "a connection is dropped for a list of which every address has failed",
            "pick_first has tried every address",
            "a call is answered",
            "a call fails",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let addresses = prop_oneof![Just(vec![1]), Just(vec![1, 2]), Just(Vec::new())];
    (addresses, 1..=2_usize, 1..=2_usize, any::<bool>()).prop_map(|(addresses, refusals, before, returns)| {
        let mut calls = vec![Call::Wait; before];
        // Comes after the updates, and before the first retry of an address that has failed.
        calls.push(Call::After(1_000));
        let channel = ChannelPlan { policy: PolicyName::PickFirst, addresses: vec![0], callers: vec![calls] };
        let refuses = vec![vec![Step::Refuse]; refusals];
        let backends = vec![vec![vec![Step::Settings]], refuses.clone(), refuses];
        // Enough time for the first calls, and too little for the last one.
        let mut acts = vec![Act::Calls(500), Act::Update { channel: 0, addresses, args: 0 }];
        if returns {
            acts.extend([Act::Pause(300), Act::Update { channel: 0, addresses: vec![0], args: 0 }]);
        }
        let (threads, teardown) = (Threads::GRPC, Teardown::AtRest);
        Plan { threads, backends, channels: vec![channel], acts, teardown, ..Plan::smallest() }
    })
}
