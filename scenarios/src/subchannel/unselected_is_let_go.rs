//! pick_first releases every subchannel that it did not select, whatever the subchannel's state.
//!
//! Upstream: grpc/grpc#19357.
//! Size: a channel to two servers of which the first may refuse, perhaps another channel to it; 2 pollers and timers.
use crate::prelude::*;
use models::subchannel::{ChannelPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "pick_first selects one of two subchannels";
    Scenario::new("unselected_is_let_go", about, "grpc/grpc#19357", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::UnselectedKept, "pick_first holds no subchannel that it did not select")
        .sometimes(&["a retry timer finds its Subchannel orphaned", "pick_first has tried every address"])
}

fn plans() -> impl Strategy<Value = Plan> {
    (0..=2_usize, 0..=1_usize, 0..=1_usize).prop_map(|(first_refuses, second_refuses, others)| {
        let backends = vec![vec![vec![Step::Refuse]; first_refuses], vec![vec![Step::Refuse]; second_refuses]];
        let channel = |addresses| ChannelPlan { policy: PolicyName::PickFirst, addresses, callers: Vec::new() };
        let mut channels = vec![channel(vec![0, 1])];
        channels.extend(vec![channel(vec![1]); others]);
        Plan { threads: Threads::GRPC, backends, channels, teardown: Teardown::AtRest, ..Plan::smallest() }
    })
}
