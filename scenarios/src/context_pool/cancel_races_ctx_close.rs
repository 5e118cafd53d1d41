//! A context is not freed after its cancel function was taken and before that function has returned.
//!
//! Upstream: follows from nni_aio_abort and nni_ctx_destroy of v1.10.1, and still holds in the main branch; not
//! reported. Size: a caller that closes its context, another thread that cancels the send; no peer, no worker. Small:
//! the same.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Aio, Ctx, Message, Nng, ReqOptions, Threads, Variant};

/// Contexts, opened and closed one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    contexts: u32,
}
bounds!(Plan { contexts: 1..=8 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A context is closed while an operation on it is cancelled";
    Scenario::new("cancel_races_ctx_close", about, "nanomsg/nng v1.10.1 aio.c", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::CancelFnDerefsFreedCtx, "req0_ctx is not used after its release")
        .loom_finds(&[Variant::CancelFnDerefsFreedCtx])
        .sometimes(&["a context is closed while its send is queued"])
        .small(Plan { contexts: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=2_u32).prop_map(|contexts| Plan { contexts })
}

fn run(variant: Variant, plan: &Plan) {
    const CALLER: Owner = Owner::new("caller", 0);
    let nng = Nng::init(variant, Threads::NONE);
    let req = nng.req0_open(ReqOptions::ONCE);
    for peer in 0..plan.contexts {
        let Ok(ctx) = Ctx::open(&req) else { return };
        let aio = Aio::alloc(&nng, None);
        aio.set_msg(CALLER, Message::tagged(CALLER, Tag { peer, request: 0 }));
        ctx.send(&aio);
        let cancelled = std::sync::Arc::clone(&aio);
        let canceller = thread::spawn(move || cancelled.cancel_operation());
        let _ = ctx.close();
        canceller.join();
        aio.stop();
        aio.take_msg(CALLER).iter().for_each(|msg| msg.free(CALLER));
        aio.free();
    }
    let _ = req.close();
    nng.fini();
}
