//! A server that accepts slowly refuses connections beyond its backlog, while Subchannels of one key are orphaned and
//! requested again.
//!
//! Upstream: grpc/grpc#18043, global_subchannel_pool.cc of 1.53.0; tcp_client_posix.cc.
//! Size: up to 3 channels to one address, a resolver each with up to 4 results, 2 callers each; a real h2 server.
use crate::prelude::*;
use models::subchannel::{
    Act, ChannelPlan, NetPlan, Plan, PolicyName, Teardown, Threads, Variant, plan, run_on_network,
};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A server's backlog is full while Subchannels of one key come and go";
    Scenario::on_network("net_backlog_full", about, "grpc/grpc#18043", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::ConnectResultDroppedOnShutdown, "every socket is closed at quiescence")
        .violates(Variant::RegisterReturnsDying, "Subchannel is touched only by its owner")
        .sometimes(&["two Subchannels of one key are alive", "a call is answered", "a call fails"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let channel = plan::callers(2, 2).prop_map(|callers| ChannelPlan {
        policy: PolicyName::PickFirst,
        addresses: vec![0],
        callers,
    });
    let addresses = prop_oneof![1 => Just(Vec::new()), 2 => Just(vec![0])];
    let result = prop_oneof![2 => (addresses, 0..2_u32).prop_map(Some), 1 => Just(None)];
    let results = prop::collection::vec(prop::collection::vec(result, 1..=4), 1..=3);
    let network = faults(4, &[FaultKind::Refuse, FaultKind::Hang], 0..=2, 499);
    let channels = prop::collection::vec(channel, 2..=3);
    let accept_ms = prop_oneof![Just(0), 0..60_u64];
    (channels, results, network, 1..=2_u32, accept_ms).prop_map(|(channels, results, network, backlog, accept_ms)| {
        let resolvers = results.into_iter().zip(0..).map(|(results, channel)| {
            let act = |result| match result {
                Some((addresses, args)) => Act::Update { channel, addresses, args },
                None => Act::Pause(1),
            };
            results.into_iter().map(act).collect()
        });
        let (resolvers, acts) = (resolvers.collect(), vec![Act::Calls(300)]);
        let (threads, backends, teardown) = (Threads::GRPC, vec![Vec::new()], Teardown::AllAtOnce);
        let plan = Plan { threads, backends, channels, acts, teardown, ..Plan::smallest() };
        NetPlan {
            weather: Weather { faults: network, backlog, ..Weather::FAIR },
            resolvers,
            accept_ms,
            ..NetPlan::of(plan)
        }
    })
}
