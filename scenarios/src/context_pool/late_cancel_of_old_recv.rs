//! A cancel function that runs after its receive was superseded does not affect the new request.
//!
//! Upstream: follows from req0_ctx_cancel_recv since commit fe692071 (the fix of #1702), and still holds in the main
//! branch; not reported. Size: a caller that replaces its request, another thread that cancels the first receive; no
//! peer, no worker. Small: the same.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Aio, Ctx, Message, Nng, ReqOptions, Threads, Variant};

/// Requests that replace one another, after the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    replacements: u64,
}
bounds!(Plan { replacements: 1..=8 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A receive is superseded while it is being cancelled";
    Scenario::new("late_cancel_of_old_recv", about, "nanomsg/nng@fe692071", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::StaleRecvCancelAbortsNewSend, "cancelling a receive ends only the request that it waits for")
        .loom_finds(&[Variant::StaleRecvCancelAbortsNewSend])
        .sometimes(&["a receive ends while its cancel function is on its way"])
        .small(Plan { replacements: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=2_u64).prop_map(|replacements| Plan { replacements })
}

fn run(variant: Variant, plan: &Plan) {
    const CALLER: Owner = Owner::new("caller", 0);
    let nng = Nng::init(variant, Threads::NONE);
    let req = nng.req0_open(ReqOptions::ONCE);
    let Ok(ctx) = Ctx::open(&req) else { return };
    let sends: Vec<_> = (0..=plan.replacements).map(|_| Aio::alloc(&nng, None)).collect();
    let recv = Aio::alloc(&nng, None);
    let cancelled = std::sync::Arc::clone(&recv);
    let canceller = thread::spawn(move || cancelled.cancel_operation());
    for (send, request) in sends.iter().zip(0_u64..) {
        send.set_msg(CALLER, Message::tagged(CALLER, Tag { peer: 0, request }));
        ctx.send(send);
        if request == 0 {
            ctx.recv(&recv);
        }
    }
    canceller.join();
    recv.free();
    for send in sends {
        send.stop();
        send.take_msg(CALLER).iter().for_each(|msg| msg.free(CALLER));
        send.free();
    }
    let _ = req.close();
    nng.fini();
}
