//! A Subchannel is orphaned while threads request its key: none gets the dying one, and its successor stays registered.
//!
//! Upstream: grpc/grpc#18043, global_subchannel_pool.cc of 1.53.0.
//! Size: up to 3 threads, each with up to 2 refs at a time, up to 2 times over; no connection. Small: 2 threads, once.
use crate::prelude::*;
use lastref::ledger::Owner;
use models::subchannel::{ExecCtx, Grpc, Subchannel, SubchannelKey, Threads, Variant};

/// Threads, the refs that each takes at a time, and the number of repetitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    threads: u32,
    refs: u32,
    rounds: u32,
}
bounds!(Plan { threads: 1..=4, refs: 1..=8, rounds: 1..=8 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A Subchannel is orphaned while other threads request its key";
    Scenario::new("key_is_taken_over", about, "grpc/grpc#18043", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::UnregisterErasesSuccessor, "one key has one Subchannel that is not dying")
        .violates(Variant::RegisterReturnsDying, "Subchannel is touched only by its owner")
        .loom_finds(&[Variant::UnregisterErasesSuccessor, Variant::RegisterReturnsDying])
        .sometimes(&[
            "a Subchannel is orphaned after a successor replaced it in the pool",
            "a dying Subchannel is replaced in the pool",
            "two channels make a Subchannel for one key at once",
        ])
        .small(Plan { threads: 2, refs: 2, rounds: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (2..=3_u32, 1..=2_u32, 1..=2_u32).prop_map(|(threads, refs, rounds)| Plan { threads, refs, rounds })
}

fn run(variant: Variant, plan: &Plan) {
    const KEY: SubchannelKey = SubchannelKey { address: 0, args: 0 };
    let grpc = Grpc::init(variant, Threads::NONE, Vec::new(), 1);
    let holders = (0..plan.threads).map(|thread| {
        let (grpc, Plan { refs, rounds, .. }) = (std::sync::Arc::clone(&grpc), plan.clone());
        thread::spawn(move || {
            for _ in 0..rounds {
                let holder = |nth| Owner::new("holder", 10 * thread + nth);
                let create = |nth| ExecCtx::scope(|ctx| Subchannel::create(&grpc, ctx, KEY, None, holder(nth)));
                let held: Vec<_> = (0..refs).map(create).collect();
                held.iter().zip(0..).for_each(|(it, nth)| ExecCtx::scope(|ctx| it.unref(ctx, holder(nth))));
            }
        })
    });
    let holders: Vec<_> = holders.collect();
    holders.into_iter().for_each(thread::JoinHandle::join);
    grpc.shutdown();
}
