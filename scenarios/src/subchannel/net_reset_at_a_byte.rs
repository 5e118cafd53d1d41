//! A connection is reset, blackholed, stalled or half-closed at some byte of either end, with calls in flight.
//!
//! Upstream: chttp2_transport.cc, tcp_posix.cc of 1.53.0; a close is deferred while a write is in progress.
//! Size: one channel, 2 addresses of one host, up to 3 callers with up to 3 calls, 1 to 4 faults; a real h2 server.
use crate::prelude::*;
use models::subchannel::{
    Act, ChannelPlan, NetPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run_on_network,
};

const KINDS: &[FaultKind] =
    &[FaultKind::Reset, FaultKind::Reset, FaultKind::Blackhole, FaultKind::HalfClose, FaultKind::Stall { ms: 50 }];

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A socket is reset, blackholed, stalled or half-closed at a byte, with calls in flight";
    Scenario::on_network("net_reset_at_a_byte", about, "grpc/grpc tcp_posix.cc 1.53.0", plans, run_on_network)
        .clean(Variant::Fixed)
        .sometimes(&[
            "RST comes before SETTINGS",
            "RST comes with streams open",
            "FIN comes with streams open",
            "a connection breaks before SETTINGS",
            "a call is answered",
            "a call fails",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    let any = faults(3, KINDS, 1..=3, 499);
    // Both ends of one connection are half closed, one after the other.
    let halves = faults(1, &[FaultKind::HalfClose], 4..=4, 499);
    let network = prop_oneof![3 => any, 1 => halves];
    let answers = prop_oneof![Just(Vec::new()), Just(vec![vec![Step::Settings, Step::Take(2), Step::Answer]])];
    let about = (policy, plan::callers(3, 3), network, answers, 1..=4_u32, prop::bool::ANY);
    about.prop_map(|(policy, callers, network, answers, room, short)| {
        let channels = vec![ChannelPlan { policy, addresses: vec![0, 1], callers }];
        let (threads, backends) = (Threads::GRPC, vec![answers, Vec::new()]);
        // A blackholed connection ends only by an unanswered keepalive ping.
        let (keepalive_ms, teardown) = (Some(10_000), Teardown::AtRest);
        let acts = vec![Act::Calls(60_000), Act::HangUp];
        let plan = Plan { threads, backends, room, keepalive_ms, channels, acts, teardown };
        NetPlan { weather: Weather { faults: network, short, ..Weather::FAIR }, ..NetPlan::of(plan) }
    })
}
