//! A queued send is cancelled while a receive already waits: the receive ends too, since no reply can come.
//!
//! Upstream: follows from req0_ctx_cancel_send of v1.10.1, which asserts that there is no such receive, and still holds
//! in the main branch; not reported. Size: a caller, another thread that cancels the send; no peer, no worker. Small:
//! the same.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Aio, Ctx, Message, Nng, ReqOptions, Threads, Variant};

/// Requests, one after the other; each is cancelled in its turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    requests: u64,
}
bounds!(Plan { requests: 1..=8 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A queued send is cancelled while a receive waits for its reply";
    Scenario::new("send_cancelled_while_receiving", about, "nanomsg/nng v1.10.1 req.c", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::SendCancelStrandsRecv, "a req0_ctx with a recv_aio has its request")
        .loom_finds(&[Variant::SendCancelStrandsRecv])
        .sometimes(&["a queued send is cancelled while a receive waits"])
        .small(Plan { requests: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=2_u64).prop_map(|requests| Plan { requests })
}

fn run(variant: Variant, plan: &Plan) {
    const CALLER: Owner = Owner::new("caller", 0);
    let nng = Nng::init(variant, Threads::NONE);
    let req = nng.req0_open(ReqOptions::ONCE);
    let Ok(ctx) = Ctx::open(&req) else { return };
    for request in 0..plan.requests {
        let (send, recv) = (Aio::alloc(&nng, None), Aio::alloc(&nng, None));
        let cancelled = std::sync::Arc::clone(&send);
        send.set_msg(CALLER, Message::tagged(CALLER, Tag { peer: 0, request }));
        ctx.send(&send);
        let canceller = thread::spawn(move || cancelled.cancel_operation());
        ctx.recv(&recv);
        canceller.join();
        recv.wait();
        send.wait();
        send.take_msg(CALLER).iter().for_each(|msg| msg.free(CALLER));
        [recv, send].iter().for_each(Aio::free);
    }
    let _ = req.close();
    nng.fini();
}
