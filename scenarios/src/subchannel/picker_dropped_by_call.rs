//! A call releases the last ref to a subchannel outside the WorkSerializer: the channel's state is still accessed only
//! inside it.
//!
//! Upstream: grpc/grpc#34307, reverted in #34318, fixed in #34321.
//! Size: one channel, up to 3 callers with up to 4 calls each, up to 3 resolver results; 2 pollers.
use crate::prelude::*;
use models::subchannel::{Act, Call, ChannelPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A call releases the last ref to a picker, and with it the last ref to a subchannel";
    Scenario::new("picker_dropped_by_call", about, "grpc/grpc#34321", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::OrphanWeakrefInline, "subchannel_wrappers_ is accessed in order")
        .sometimes(&["a WorkSerializer has an owner when a callback comes", "a call is answered"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let addresses = prop_oneof![Just(vec![0]), Just(vec![1]), Just(vec![0, 1])];
    let update = addresses.prop_map(|addresses| Act::Update { channel: 0, addresses, args: 0 });
    let policy = prop_oneof![Just(PolicyName::PickFirst), Just(PolicyName::RoundRobin)];
    let acts = prop::collection::vec(update, 1..=3);
    // A call that is cancelled at once is little more than its pick.
    let call = prop_oneof![4 => Just(Call::Cancel), 1 => Just(Call::Wait)];
    let callers = prop::collection::vec(prop::collection::vec(call, 2..=4), 2..=3);
    (acts, policy, callers).prop_map(|(acts, policy, callers)| {
        let channels = vec![ChannelPlan { policy, addresses: vec![0, 1], callers }];
        let backends = vec![vec![vec![Step::Settings]], vec![vec![Step::Settings]]];
        Plan { threads: Threads::GRPC, backends, channels, acts, teardown: Teardown::InTurn, ..Plan::smallest() }
    })
}
