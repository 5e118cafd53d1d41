//! The leak's final effect on the driver, on the network: publishers return, and there is no room for their logs.
//!
//! Upstream: aeron-io/aeron#1735. The driver unlinks its files; the client's mappings keep the space allocated.
//! Size: room for 2 logs, 2 publishers with 6 lives each, 1 subscriber that looks them up and drops its handles.
use crate::prelude::*;
use models::image::{After, Callback, Ending, NetPlan, Op, Plan, Subscriber, Variant, plan, run_on_network};

const ROOM: u32 = 2;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Publishers on the network come back, and their logs need room in shared memory";
    Scenario::on_network("net_shm_exhaustion", about, "aeron#1735", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::LookupDoubleRetain, "a new stream finds room in shared memory")
        .sometimes(&["a session comes back while its last image lingers"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let ending = prop_oneof![Just(Ending::Die), Just(Ending::Close)];
    let callback = prop_oneof![Just(Callback::None), Just(Callback::Wrapper)];
    (plan::publishers(2, 4, ending), callback).prop_map(|(mut publishers, callback)| {
        // Each publisher returns more than once; otherwise the logs would fit.
        for lives in publishers.iter_mut().map(|publisher| &mut publisher.lives) {
            while lives.len() < 6 {
                lives.extend_from_within(..1);
            }
        }
        // Each log is looked up as long as its first stream lives.
        let turn = [Op::Pause(20), Op::Poll(2), Op::At(0), Op::At(1), Op::Drop, Op::Drop];
        let subscriber = Subscriber { callback, after: After::Poll, ..Subscriber::doing(turn.repeat(24)) };
        let plan = NetPlan::of(publishers, vec![subscriber]);
        NetPlan { plan: Plan { shm_capacity: ROOM, ..plan.plan }, liveness_ms: 50, ..plan }
    })
}
