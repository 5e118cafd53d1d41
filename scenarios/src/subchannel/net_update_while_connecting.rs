//! Resolver results arrive while connections to a real server are made: a transport that is no longer needed is
//! destroyed.
//!
//! Upstream: grpc/grpc#32071, grpc/grpc#38871, whose socket stays; results with the same args, other ones, no address.
//! Size: one channel, 2 addresses of one host, up to 4 results, 2 callers with 3 calls each; a real h2 server.
use crate::prelude::*;
use models::subchannel::{
    Act, ChannelPlan, NetPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run_on_network,
};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The resolver's results change while a socket connects or SETTINGS are in flight";
    Scenario::on_network("net_update_while_connecting", about, "grpc/grpc#32071", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::ConnectResultDroppedOnShutdown, "every socket is closed at quiescence")
        .violates(Variant::WatcherNotStarted, "a READY Subchannel watches its transport")
        .violates(Variant::DeferredCloseLost, "a deferred close is carried out when the write ends")
        .sometimes(&[
            "two Subchannels of one key are alive",
            "a connection is made for a Subchannel that was orphaned",
            "a handshake is shut down before its connection is made",
            "a resolver result with other args comes before SETTINGS",
            "an empty resolver result comes before SETTINGS",
            "a call is answered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let addresses = prop_oneof![Just(vec![0]), Just(vec![1]), Just(vec![0, 1]), Just(Vec::new())];
    let update = (addresses, 0..2_u32).prop_map(|(addresses, args)| Act::Update { channel: 0, addresses, args });
    let then = (0..12_u64, update).prop_map(|(ms, update)| [Act::Pause(ms), update]);
    let policy = prop_oneof![2 => Just(PolicyName::PickFirst), 1 => Just(PolicyName::RoundRobin)];
    let pause = 0..5_u64;
    (prop::collection::vec(then, 1..=3), policy, plan::callers(2, 3), pause).prop_map(|(then, policy, callers, ms)| {
        let mut acts: Vec<Act> = then.into_iter().flatten().collect();
        // Last, so that no call is left waiting for an address.
        acts.push(Act::Update { channel: 0, addresses: vec![0], args: 0 });
        let channels = vec![ChannelPlan { policy, addresses: vec![0], callers }];
        let backends = vec![vec![vec![Step::Pause(ms), Step::Settings]]; 2];
        let (threads, teardown) = (Threads::GRPC, Teardown::AtRest);
        NetPlan::of(Plan { threads, backends, channels, acts, teardown, ..Plan::smallest() })
    })
}
