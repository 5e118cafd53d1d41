//! An abort that comes between begin and schedule is seen by schedule, and the operation ends once.
//!
//! Upstream: nanomsg/nng commit 3ca7bcc0 ("task_abort was a mistake"), v1.10.1 still has task_abort.
//! Size: a caller, and another thread that aborts up to 3 times; no peer, no worker. Small: one abort.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Aio, Ctx, Message, Nng, ReqOptions, Threads, Variant};

/// The number of aborts of the operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    aborts: u32,
}
bounds!(Plan { aborts: 1..=8 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "An operation is aborted between begin and schedule";
    Scenario::new("abort_before_schedule", about, "nanomsg/nng@3ca7bcc0", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::DoubleFinishAbortWindow, "nni_aio completes exactly once")
        .loom_finds(&[Variant::DoubleFinishAbortWindow])
        .sometimes(&["an abort comes between begin and schedule"])
        .small(Plan { aborts: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=3_u32).prop_map(|aborts| Plan { aborts })
}

fn run(variant: Variant, plan: &Plan) {
    const CALLER: Owner = Owner::new("caller", 0);
    let nng = Nng::init(variant, Threads::NONE);
    let req = nng.req0_open(ReqOptions::ONCE);
    let Ok(ctx) = Ctx::open(&req) else { return };
    let aio = Aio::alloc(&nng, None);
    let (submitted, aborts) = (std::sync::Arc::clone(&aio), plan.aborts);
    let canceller = thread::spawn(move || (0..aborts).for_each(|_| submitted.cancel_operation()));
    aio.set_msg(CALLER, Message::tagged(CALLER, Tag { peer: 0, request: 0 }));
    ctx.send(&aio);
    canceller.join();
    aio.stop();
    aio.take_msg(CALLER).iter().for_each(|msg| msg.free(CALLER));
    aio.free();
    let _ = req.close();
    nng.fini();
}
