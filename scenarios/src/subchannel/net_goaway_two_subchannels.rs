//! Two subchannels to one backend, calls on both: the server sends GOAWAY, gracefully or abruptly, at some stream of
//! either connection.
//!
//! Upstream: chttp2_transport.cc, subchannel.cc of 1.53.0; grpc/grpc#38871 is about two subchannels to one backend.
//! Size: one channel, 2 addresses of one host, up to 3 callers with up to 3 calls; a real h2 server; 2 pollers, timers.
use crate::prelude::*;
use models::subchannel::{
    Act, ChannelPlan, Goaway, NetPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run_on_network,
};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A real server sends GOAWAY to two subchannels with calls open";
    Scenario::on_network("net_goaway_two_subchannels", about, "grpc/grpc subchannel.cc 1.53.0", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::WatcherNotStarted, "a READY Subchannel watches its transport")
        .violates(Variant::OnlyShutdownObserved, "a Subchannel is READY only while its transport is READY")
        .violates(
            Variant::LateShutdownDropsSuccessor,
            "a Subchannel gives up the connection that has failed, and no other",
        )
        .sometimes(&[
            "a backend has two sockets of one client",
            "GOAWAY comes with streams open",
            "GOAWAY with ENHANCE_YOUR_CALM comes with streams open",
            "a GOAWAY ends a stream that the server has not seen",
            "a transport ends after its Subchannel has connected again",
            "a call is answered",
            "a call fails",
            "everything comes to rest",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let policy = prop_oneof![1 => Just(PolicyName::PickFirst), 3 => Just(PolicyName::RoundRobin)];
    let goaway = prop_oneof![3 => Just(Goaway::NoError), 1 => Just(Goaway::TooManyPings)].prop_map(Step::Goaway);
    let draining = (0..3_u32, goaway.clone(), 1..50_u64).prop_map(|(requests, goaway, ms)| {
        vec![Step::Settings, Step::Take(requests), goaway, Step::Pause(ms), Step::Answer]
    });
    let holding = (goaway, 0..20_u64)
        .prop_map(|(goaway, ms)| vec![Step::Settings, Step::Pause(ms), Step::Answer, goaway, Step::Stall]);
    let backends = |script| prop::collection::vec(prop::collection::vec(script, 1..=2), 2);
    let ends = prop_oneof![
        // The servers end after 500 ms, since they may wait for more requests than there are.
        (backends(draining.boxed()), Just(vec![Act::Calls(500), Act::HangUp])),
        // The server keeps its socket after GOAWAY; a keepalive ping detects that it does nothing more.
        (backends(holding.boxed()), Just(vec![Act::Calls(60_000)])),
    ];
    let about = (policy, plan::callers(3, 3), ends, prop::bool::ANY);
    about.prop_map(|(policy, callers, (backends, acts), short)| {
        let channels = vec![ChannelPlan { policy, addresses: vec![0, 1], callers }];
        let (threads, keepalive_ms, teardown) = (Threads::GRPC, Some(10_000), Teardown::AtRest);
        let plan = Plan { threads, backends, keepalive_ms, channels, acts, teardown, ..Plan::smallest() };
        NetPlan { weather: Weather { short, ..Weather::FAIR }, ..NetPlan::of(plan) }
    })
}
