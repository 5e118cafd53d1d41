//! A server sends GOAWAY while a write waits: nothing is closed at once, and the connection ends with its last user.
//!
//! Upstream: chttp2_transport.cc of 1.53.0, in which a GOAWAY closes nothing.
//! Size: one channel, up to 2 callers with 2 calls each, connections that hold up to 2 frames; 2 pollers.
use crate::prelude::*;
use models::subchannel::{ChannelPlan, Goaway, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A server sends GOAWAY while a write is in progress";
    Scenario::new("goaway_during_write", about, "grpc/grpc chttp2_transport.cc 1.53.0", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::OnlyShutdownObserved, "a Subchannel is READY only while its transport is READY")
        .sometimes(&[
            "GOAWAY comes while a write is in progress",
            "GOAWAY with ENHANCE_YOUR_CALM comes while a write is in progress",
            "a close is put off because a write is in progress",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let goaway = prop_oneof![Just(Goaway::NoError), Just(Goaway::TooManyPings)];
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    let callers = prop_oneof![Just(Vec::new()), plan::callers(2, 2)];
    (goaway, policy, callers, 1..=2_u32, 0..3_u64).prop_map(|(goaway, policy, callers, room, ms)| {
        // The server reads nothing before the GOAWAY, so that the client's acknowledgement waits for room.
        let first = vec![Step::Settings, Step::Pause(ms), Step::Goaway(goaway), Step::Pause(ms)];
        let channels = vec![ChannelPlan { policy, addresses: vec![0], callers }];
        let (backends, teardown) = (vec![vec![first]], Teardown::AtRest);
        Plan { threads: Threads::GRPC, backends, room, channels, teardown, ..Plan::smallest() }
    })
}
