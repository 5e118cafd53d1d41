//! A connection breaks while no call is open: the Subchannel becomes IDLE, and every object below it is freed.
//!
//! Upstream: subchannel.cc ConnectedSubchannelStateWatcher of 1.53.0, which reports both FIN and RST as SHUTDOWN.
//! Size: one channel to one server, up to 2 connections that break, one that stays; 2 pollers. Small: one, no poller.
use crate::prelude::*;
use models::subchannel::{ChannelPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A connection breaks while no call is open";
    Scenario::new("socket_closed_when_idle", about, "grpc/grpc subchannel.cc 1.53.0", plans, run)
        .clean(Variant::Fixed)
        .clean(Variant::OnlyShutdownObserved)
        .violates(Variant::WatcherNotStarted, "a READY Subchannel watches its transport")
        .loom_finds(&[Variant::WatcherNotStarted])
        .sometimes(&["FIN comes to an idle connection", "RST comes to an idle connection", "everything comes to rest"])
        .small(small())
}

fn small() -> Plan {
    let backends = vec![vec![vec![Step::Settings, Step::Fin]]];
    Plan { threads: Threads::NONE, backends, teardown: Teardown::AtRest, ..Plan::smallest() }
}

fn plans() -> impl Strategy<Value = Plan> {
    let last = prop_oneof![Just(Step::Fin), Just(Step::Rst)];
    // After a pause the connection has nothing left to write.
    let connection = last.prop_map(|last| vec![Step::Settings, Step::Pause(1), last]);
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    (prop::collection::vec(connection, 1..=2), policy).prop_map(|(connections, policy)| {
        let channels = vec![ChannelPlan { policy, addresses: vec![0], callers: Vec::new() }];
        let (backends, teardown) = (vec![connections], Teardown::AtRest);
        Plan { threads: Threads::GRPC, backends, channels, teardown, ..Plan::smallest() }
    })
}
