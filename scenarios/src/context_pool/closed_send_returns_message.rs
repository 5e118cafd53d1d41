//! A context is closed: the send that was queued ends with NNG_ECLOSED, and its message is fetched from the aio and
//! freed.
//!
//! Upstream: nng_ctx_send(3), nng_ctx_close(3); upstream's test is test_req_ctx_send_close. A negative control.
//! Size: up to 3 contexts with a queued send each, closed by other threads; no peer, no worker. Small: one.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Aio, Ctx, Errno, Message, Nng, ReqOptions, Threads, Variant};

/// Contexts with a queued send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    contexts: u32,
}
bounds!(Plan { contexts: 1..=8 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A context is closed while its send is queued, and the caller gets the message back";
    Scenario::new("closed_send_returns_message", about, "nanomsg/nng nng_ctx_close(3)", plan, run)
        .clean(Variant::Fixed)
        .sometimes(&["a context is closed while its send is queued"])
        .small(Plan { contexts: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=3_u32).prop_map(|contexts| Plan { contexts })
}

fn run(variant: Variant, plan: &Plan) {
    const CALLER: Owner = Owner::new("caller", 0);
    let nng = Nng::init(variant, Threads::NONE);
    let req = nng.req0_open(ReqOptions::ONCE);
    let contexts: Vec<_> = (0..plan.contexts).filter_map(|_| Ctx::open(&req).ok()).collect();
    let closers = contexts.clone().into_iter().map(|ctx| thread::spawn(move || ctx.close().is_ok()));
    let closers: Vec<_> = closers.collect();
    for (ctx, peer) in contexts.iter().zip(0_u32..) {
        let aio = Aio::alloc(&nng, None);
        aio.set_msg(CALLER, Message::tagged(CALLER, Tag { peer, request: 0 }));
        ctx.send(&aio);
        aio.wait();
        always("a send on a closed context ends with NNG_ECLOSED", aio.result() == Err(Errno::Closed));
        let msg = aio.take_msg(CALLER);
        always("a send that fails gives its message back", msg.is_some());
        msg.iter().for_each(|msg| msg.free(CALLER));
        aio.free();
    }
    let closed = closers.into_iter().map(thread::JoinHandle::join).filter(|&closed| closed).count();
    always("each context is closed once", closed == contexts.len());
    let _ = req.close();
    nng.fini();
}
