//! A connection breaks while a write waits: the transport is closed when the write is finished.
//!
//! Upstream: chttp2_transport.cc close_transport_locked, set_write_state of 1.53.0.
//! Size: one channel, up to 2 calls, connections that hold few frames; 2 pollers. Small: no call, polled by the main
//! thread.
use crate::prelude::*;
use models::subchannel::{ChannelPlan, Plan, PolicyName, Step, Teardown, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A connection breaks while a write is in progress";
    Scenario::new("socket_closed_during_write", about, "grpc/grpc chttp2_transport.cc 1.53.0", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::DeferredCloseLost, "a deferred close is carried out when the write ends")
        .loom_finds(&[Variant::DeferredCloseLost])
        .sometimes(&[
            "a close is put off because a write is in progress",
            "FIN comes while a write is in progress",
            "RST comes while a write is in progress",
            "a call fails",
        ])
        .small(small())
}

fn small() -> Plan {
    let backends = vec![vec![vec![Step::Settings, Step::Fin]]];
    Plan { threads: Threads::NONE, backends, room: 1, teardown: Teardown::AtRest, ..Plan::smallest() }
}

fn plans() -> impl Strategy<Value = Plan> {
    let last = prop_oneof![Just(Step::Fin), Just(Step::Rst)];
    let callers = prop_oneof![Just(Vec::new()), plan::callers(1, 2)];
    // During a pause the client gets to its write, which waits for room.
    (last, callers, 1..=2_u32, 0..=1_u32, 0..=1_u64).prop_map(|(last, callers, room, taken, ms)| {
        // A call keeps the channel until its connection is there; without one the channel has to be left alone for
        // that.
        let teardown = if callers.is_empty() { Teardown::AtRest } else { Teardown::InTurn };
        let channels = vec![ChannelPlan { policy: PolicyName::PickFirst, addresses: vec![0], callers }];
        let backends = vec![vec![vec![Step::Settings, Step::Pause(ms), Step::Take(taken), last]]];
        Plan { threads: Threads::GRPC, backends, room, channels, teardown, ..Plan::smallest() }
    })
}
