//! Socket close before SETTINGS or after: a real server ends its connections early, sends SETTINGS late, or does not
//! answer.
//!
//! Upstream: chttp2_connector.cc of 1.53.0; settings_timeout_test.cc tests a server that never sends them.
//! Size: up to 2 channels, 2 addresses of one host, up to 3 connections each that break, 2 callers, an update, 2
//! faults.
use crate::prelude::*;
use models::subchannel::{
    Act, Call, ChannelPlan, Goaway, NetPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, run_on_network,
};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A socket close before, with or after SETTINGS, or no answer to the attempt to connect";
    let upstream = "grpc/grpc settings_timeout_test.cc";
    Scenario::on_network("net_close_around_settings", about, upstream, plans, run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&[
            "a connection breaks before SETTINGS",
            "SETTINGS do not come in time",
            "FIN comes before SETTINGS",
            "FIN comes before the transport is watched",
            "a call is answered",
            "a call fails",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let goaway = prop_oneof![Just(Goaway::NoError), Just(Goaway::TooManyPings)].prop_map(Step::Goaway);
    let breaking = prop_oneof![
        2 => Just(vec![Step::Fin]),
        2 => (0..4_u64).prop_map(|ms| vec![Step::Settings, Step::Pause(ms), Step::Fin]),
        2 => Just(vec![Step::Settings, Step::Take(1), Step::Answer, Step::Fin]),
        2 => goaway.prop_map(|goaway| vec![Step::Settings, goaway, Step::Fin]),
        1 => Just(vec![Step::Stall]),
        1 => (19_000..21_000_u64).prop_map(|ms| vec![Step::Pause(ms), Step::Settings]),
    ];
    let backends = prop::collection::vec(prop::collection::vec(breaking, 0..=3), 2);
    let network = faults(3, &FaultKind::OF_CONNECTIONS, 0..=2, 499);
    let policy = prop_oneof![2 => Just(PolicyName::PickFirst), 1 => Just(PolicyName::RoundRobin)];
    let first = prop_oneof![Just(vec![0]), Just(vec![0, 1])];
    // Every call has a deadline, since a channel that no longer connects would leave it waiting forever.
    let call = prop_oneof![1..50_u64, Just(25_000)].prop_map(Call::Deadline);
    let callers = prop::collection::vec(prop::collection::vec(call, 1..=3), 0..=2);
    let channel = (policy, first, callers);
    let channel = channel.prop_map(|(policy, addresses, callers)| ChannelPlan { policy, addresses, callers });
    let then = prop_oneof![Just(0), 0..20_u64, 900..1_300_u64].prop_map(Act::Pause);
    let about = (backends, network, prop::collection::vec(channel, 1..=2), then, prop::bool::ANY);
    about.prop_map(|(backends, network, channels, then, short)| {
        let update = Act::Update { channel: 0, addresses: vec![0, 1], args: 0 };
        let acts = vec![then, update, Act::Calls(60_000), Act::HangUp];
        let (threads, keepalive_ms, teardown) = (Threads::GRPC, Some(10_000), Teardown::AtRest);
        let plan = Plan { threads, backends, keepalive_ms, channels, acts, teardown, ..Plan::smallest() };
        NetPlan { weather: Weather { faults: network, short, ..Weather::FAIR }, ..NetPlan::of(plan) }
    })
}
