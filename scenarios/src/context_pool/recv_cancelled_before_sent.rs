//! A receive is cancelled while the send of its request is queued: the send ends too, and gives its message back.
//!
//! Upstream: nanomsg/nng#1702 (segmentation fault), commit fe692071; upstream's test is test_req_ctx_send_recv_abort.
//! Size: a caller, and another thread that cancels the receive; no peer, no worker. Small: the same.
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
    let about = "A receive is cancelled while its request is queued";
    Scenario::new("recv_cancelled_before_sent", about, "nanomsg/nng#1702", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::RecvCancelLeavesNullReqMsg, "a req0_ctx with a send_aio has its req_msg")
        .loom_finds(&[Variant::RecvCancelLeavesNullReqMsg])
        .sometimes(&["a receive is cancelled while its send is queued"])
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
        let cancelled = std::sync::Arc::clone(&recv);
        let canceller = thread::spawn(move || cancelled.cancel_operation());
        send.set_msg(CALLER, Message::tagged(CALLER, Tag { peer: 0, request }));
        ctx.send(&send);
        ctx.recv(&recv);
        canceller.join();
        recv.stop();
        send.stop();
        send.take_msg(CALLER).iter().for_each(|msg| msg.free(CALLER));
        [recv, send].iter().for_each(Aio::free);
    }
    let _ = req.close();
    nng.fini();
}
