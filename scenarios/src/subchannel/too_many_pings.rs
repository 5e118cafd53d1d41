//! A server sends ENHANCE_YOUR_CALM, or does not answer a ping: the transport releases keepalive's timers and refs.
//!
//! Upstream: keepalive (A8), too_many_pings_test.cc; GOAWAY with ENHANCE_YOUR_CALM doubles the channel's keepalive
//! time.
//! Size: up to 2 channels that ping every 10 s, up to 2 calls each, servers that stall; 2 pollers and timers.
use crate::prelude::*;
use models::subchannel::{Call, ChannelPlan, Goaway, Plan, PolicyName, Step, Teardown, Threads, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A server sends ENHANCE_YOUR_CALM, or does not answer a keepalive ping";
    Scenario::new("too_many_pings", about, "grpc/grpc too_many_pings_test.cc", plans, run)
        .clean(Variant::Fixed)
        .sometimes(&[
            "ENHANCE_YOUR_CALM doubles the channel's keepalive time",
            "a keepalive ping is not answered",
            "a keepalive timer is on its way while its transport is closed",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let calm = Step::Goaway(Goaway::TooManyPings);
    let first = prop_oneof![
        Just(vec![Step::Settings, Step::Take(1), Step::Stall]),
        Just(vec![Step::Settings, Step::Take(1), calm, Step::Pause(30_000), Step::Answer]),
        Just(vec![Step::Settings, Step::Pause(11_000), calm]),
        Just(vec![Step::Settings, Step::Take(1), Step::Pause(15_000), Step::Fin]),
    ];
    let call = prop_oneof![Just(Call::Wait), (5_000..40_000_u64).prop_map(Call::Deadline)];
    let callers = prop::collection::vec(prop::collection::vec(call, 1..=2), 1..=1);
    (prop::collection::vec(first, 1..=2), prop::collection::vec(callers, 1..=2)).prop_map(|(connections, callers)| {
        let policy = PolicyName::PickFirst;
        let channel = |callers| ChannelPlan { policy, addresses: vec![0], callers };
        let channels = callers.into_iter().map(channel).collect();
        let (keepalive_ms, teardown) = (Some(10_000), Teardown::AtRest);
        let backends = vec![connections];
        Plan { threads: Threads::GRPC, backends, keepalive_ms, channels, teardown, ..Plan::smallest() }
    })
}
