//! A connection breaks under its calls: it is shut down after their RST_STREAMs, and its descriptor stays until the
//! last call releases it.
//!
//! Upstream: ev_epoll1_linux.cc fd_shutdown and fd_orphan, subchannel.cc ConnectedSubchannel of 1.53.0; grpc/grpc#8782.
//! Size: one channel to one or two servers, up to 3 callers with 2 calls each, 2 connections that break; 2 pollers.
use crate::prelude::*;
use models::subchannel::{ChannelPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A connection breaks while calls are open";
    Scenario::new("socket_closed_with_calls", about, "grpc/grpc#8782", plans, run)
        .clean(Variant::Fixed)
        .clean(Variant::OnlyShutdownObserved)
        .violates(Variant::WatcherNotStarted, "a READY Subchannel watches its transport")
        .sometimes(&[
            "FIN comes with streams open",
            "RST comes with streams open",
            "a call is the last to let go of a connection",
            "a picked subchannel has no connection any more",
            "a call is answered",
            "a call fails",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let last = prop_oneof![Just(Step::Fin), Just(Step::Rst)];
    let connection = last.prop_map(|last| vec![Step::Settings, Step::Take(1), last]);
    let backends = prop::collection::vec(prop::collection::vec(connection, 1..=2), 1..=2);
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    (backends, policy, plan::callers(3, 2)).prop_map(|(backends, policy, callers)| {
        let addresses = (0..backends.len() as u32).collect();
        let channels = vec![ChannelPlan { policy, addresses, callers }];
        Plan { threads: Threads::GRPC, backends, channels, teardown: Teardown::AtRest, ..Plan::smallest() }
    })
}
