//! A connection fails before it is ready: refused, not answered, FIN, RST, GOAWAY, or SETTINGS late or never.
//!
//! Upstream: chttp2_connector.cc of 1.53.0; settings_timeout_test.cc tests the last of these.
//! Size: one channel, up to 3 connections that break, up to 2 calls; 2 pollers and timers.
use crate::prelude::*;
use models::subchannel::{Act, ChannelPlan, Goaway, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A connection breaks before, with or right after SETTINGS";
    Scenario::new("broken_before_settings", about, "grpc/grpc settings_timeout_test.cc", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::ConnectResultDroppedOnShutdown, "grpc_fd is released by quiescence")
        .sometimes(&[
            "a connection is not made in time",
            "a connection breaks before SETTINGS",
            "SETTINGS do not come in time",
            "the SETTINGS timer is on its way when SETTINGS come",
            "SETTINGS come after the connector was shut down",
            "FIN comes before SETTINGS",
            "RST comes before SETTINGS",
            "GOAWAY comes before SETTINGS",
            "GOAWAY with ENHANCE_YOUR_CALM comes before SETTINGS",
            "FIN comes before the transport is watched",
            "RST comes before the transport is watched",
            "GOAWAY comes before the transport is watched",
            "GOAWAY with ENHANCE_YOUR_CALM comes before the transport is watched",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let goaway = prop_oneof![Just(Goaway::NoError), Just(Goaway::TooManyPings)];
    let end = prop_oneof![Just(Step::Fin), Just(Step::Rst), goaway.prop_map(Step::Goaway)];
    let breaking = prop_oneof![
        1 => Just(vec![Step::Refuse]),
        1 => Just(vec![Step::Ignore]),
        1 => Just(vec![Step::Stall]),
        2 => end.clone().prop_map(|end| vec![end]),
        4 => end.prop_map(|end| vec![Step::Settings, end]),
        2 => Just(vec![Step::Settings, Step::Rst]),
        1 => (19_000..21_000_u64).prop_map(|ms| vec![Step::Pause(ms), Step::Settings]),
    ];
    let pause = prop_oneof![Just(1), 900..1_300_u64, 19_000..21_000_u64].prop_map(Act::Pause);
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    let acts = prop::collection::vec(pause, 0..=2);
    (prop::collection::vec(breaking, 1..=3), acts, policy, plan::callers(1, 2)).prop_map(
        |(connections, acts, policy, callers)| {
            let channels = vec![ChannelPlan { policy, addresses: vec![0], callers }];
            let (backends, teardown) = (vec![connections], Teardown::InTurn);
            Plan { threads: Threads::GRPC, backends, channels, acts, teardown, ..Plan::smallest() }
        },
    )
}
