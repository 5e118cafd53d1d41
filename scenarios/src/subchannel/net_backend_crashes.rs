//! The backend's host crashes and restarts, or its link is partitioned or held, with or without calls in flight.
//!
//! Upstream: keepalive (gRFC A8) of chttp2_transport.cc 1.53.0, by which a client detects an unreachable server.
//! Size: one channel, 2 addresses of one host, up to 3 callers with 3 calls each, up to 2 outages; a real h2 server.
use crate::prelude::*;
use models::subchannel::{
    Act, Call, ChannelPlan, NetPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run_on_network,
};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The backend of two subchannels crashes and restarts, or is unreachable";
    Scenario::on_network("net_backend_crashes", about, "grpc/proposal A8", plans, run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&["RST comes with streams open", "a call is answered", "a call fails"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    let call = prop_oneof![2 => Just(Call::Wait), 2 => (1..300_u64).prop_map(Call::After), 1 => Just(Call::Cancel)];
    let callers = prop::collection::vec(prop::collection::vec(call, 1..=3), 1..=3);
    let events = plan::outages(2, &[Event::Crash(0), Event::Partition(0), Event::Hold(0)]);
    let answers = prop_oneof![
        1 => Just(Vec::new()),
        1 => Just(vec![vec![Step::Settings, Step::Take(1), Step::Pause(30), Step::Answer]]),
    ];
    let about = (policy, callers, events, answers, 1..=4_u32, prop::bool::ANY);
    about.prop_map(|(policy, callers, events, answers, room, short)| {
        let channels = vec![ChannelPlan { policy, addresses: vec![0, 1], callers }];
        let (threads, backends) = (Threads::GRPC, vec![answers, Vec::new()]);
        let acts = vec![Act::Calls(60_000), Act::HangUp];
        // A connection whose server is gone ends only by an unanswered keepalive ping.
        let (keepalive_ms, teardown) = (Some(10_000), Teardown::AtRest);
        let plan = Plan { threads, backends, room, keepalive_ms, channels, acts, teardown };
        NetPlan { weather: Weather { events, short, ..Weather::FAIR }, ..NetPlan::of(plan) }
    })
}
