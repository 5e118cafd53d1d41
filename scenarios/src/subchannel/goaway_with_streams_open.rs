//! A server drains: calls that it has seen complete on the old connection; other calls use the next one, which stays
//! connected.
//!
//! Upstream: chttp2_transport.cc, subchannel.cc of 1.53.0; that the end of the old connection drops the new one is
//! derived from the source, not reported. TRANSIENT_FAILURE and then SHUTDOWN of one transport is the negative control.
//! Size: one channel, up to 3 callers with up to 3 calls, GOAWAY after the first; 2 pollers and timers.
use crate::prelude::*;
use models::subchannel::{ChannelPlan, Goaway, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A server sends GOAWAY while calls are open";
    Scenario::new("goaway_with_streams_open", about, "grpc/grpc subchannel.cc 1.53.0", plans, run)
        .clean(Variant::Fixed)
        .violates(
            Variant::LateShutdownDropsSuccessor,
            "a Subchannel gives up the connection that has failed, and no other",
        )
        .sometimes(&[
            "GOAWAY comes with streams open",
            "GOAWAY with ENHANCE_YOUR_CALM comes with streams open",
            "a GOAWAY ends a stream that the server has not seen",
            "a transport ends after its Subchannel has connected again",
            "a transport reports its end a second time, or after its Subchannel's",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    // round_robin connects again by itself, pick_first by the next call.
    let policy = prop_oneof![1 => Just(PolicyName::PickFirst), 3 => Just(PolicyName::RoundRobin)];
    let goaway = prop_oneof![3 => Just(Goaway::NoError), 1 => Just(Goaway::TooManyPings)];
    (policy, plan::callers(3, 3), 1..50_u64, goaway).prop_map(|(policy, callers, ms, goaway)| {
        let first = vec![Step::Settings, Step::Take(1), Step::Goaway(goaway), Step::Pause(ms), Step::Answer];
        let channels = vec![ChannelPlan { policy, addresses: vec![0], callers }];
        let (backends, teardown) = (vec![vec![first]], Teardown::AtRest);
        Plan { threads: Threads::GRPC, backends, channels, teardown, ..Plan::smallest() }
    })
}
