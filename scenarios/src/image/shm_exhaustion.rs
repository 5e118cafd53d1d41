//! The leak's final effect: shared memory is full of unread logs, and no publisher finds room.
//!
//! Upstream: aeron-io/aeron#1735. The driver unlinks its files; the client's mappings keep the space allocated.
//! Size: room for 2 logs, 2 publishers with 5 more streams, 1 subscriber that looks them up and drops its handles.
use crate::prelude::*;
use models::image::{After, Callback, DriverOp, Handler, Op, Plan, Subscriber, Variant, run};

const ROOM: u32 = 2;
const STREAMS: usize = 5;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Streams come and go in a shared memory with room for two logs";
    Scenario::new("shm_exhaustion", about, "aeron#1735", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::LookupDoubleRetain, "a new stream finds room in shared memory")
        .sometimes(&["a publisher waits for room in shared memory"])
        .timer_slack(Duration::from_millis(200))
}

fn plans() -> impl Strategy<Value = Plan> {
    let pause = || (0_u64..60).prop_map(DriverOp::Pause);
    let callback = prop_oneof![Just(Callback::None), Just(Callback::Wrapper)];
    (prop::collection::vec((0..2_i32, pause()), STREAMS), callback).prop_map(|(streams, callback)| {
        let life = |(id, pause)| [pause, DriverOp::Vanish(id), DriverOp::Publish(id)];
        let turn = [Op::Pause(40), Op::Drop, Op::Poll(1), Op::Lookup(0), Op::Lookup(1), Op::Drop];
        // Each log has its handle before the first stream goes.
        let subscriber = Subscriber {
            callback,
            handler: Handler::QUICK,
            handles: vec![0, 1],
            ops: turn.into_iter().chain([Op::Drop, Op::Drop, Op::Drop]).collect(),
            after: After::Poll,
        };
        Plan {
            shm_capacity: ROOM,
            driver: streams.into_iter().flat_map(life).collect(),
            subscribers: vec![subscriber],
            ..Plan::with(2, 1)
        }
    })
}
