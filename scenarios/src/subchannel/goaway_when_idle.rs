//! A server without calls sends GOAWAY: the Subchannel releases the connection and becomes IDLE.
//!
//! Upstream: doc/connectivity-semantics-and-api.md, subchannel.cc ConnectedSubchannelStateWatcher of 1.53.0.
//! Size: one channel, up to 2 calls, GOAWAY on the first connections; 2 pollers.
use crate::prelude::*;
use models::subchannel::{ChannelPlan, Goaway, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A server sends GOAWAY while no call is open";
    Scenario::new("goaway_when_idle", about, "grpc/grpc connectivity-semantics-and-api.md", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::OnlyShutdownObserved, "a Subchannel is READY only while its transport is READY")
        .violates(Variant::WatcherNotStarted, "a READY Subchannel watches its transport")
        .sometimes(&[
            "GOAWAY comes to an idle connection",
            "GOAWAY with ENHANCE_YOUR_CALM comes to an idle connection",
            "a call is begun on a transport that is closed or draining",
            "a transport reports its end a second time, or after its Subchannel's",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    let callers = prop_oneof![Just(Vec::new()), plan::callers(1, 2)];
    let goaway = prop_oneof![Just(Goaway::NoError), Just(Goaway::TooManyPings)];
    // After a pause the connection has nothing left to write.
    (policy, callers, goaway, 1..=2_usize, 0..=1_u64).prop_map(|(policy, callers, goaway, connections, ms)| {
        let draining = vec![vec![Step::Settings, Step::Pause(ms), Step::Goaway(goaway)]; connections];
        let channels = vec![ChannelPlan { policy, addresses: vec![0], callers }];
        let teardown = Teardown::AtRest;
        Plan { threads: Threads::GRPC, backends: vec![draining], channels, teardown, ..Plan::smallest() }
    })
}
