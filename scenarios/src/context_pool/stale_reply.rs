//! A reply to a request that was superseded does not answer the request after it.
//!
//! Upstream: the id of a request is removed with the request (req0_ctx_reset, v1.10.1); nng_req(7): a new request
//! cancels the one before it. Size: one context with up to 3 requests in a row, of which the last is received, an
//! echoing peer, 1 or 2 workers. Small: 2 requests, 1 worker.
use crate::prelude::*;
use lastref::ledger::{self, Owner, Tag};
use models::context_pool::{Ctx, Message, Nng, ReqOptions, Socket, Threads, Timeout, Variant, echo};

/// Requests on one context, and the library's workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    requests: u64,
    workers: u32,
}
bounds!(Plan { requests: 1..=8, workers: 1..=4 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A late reply arrives for a request that was superseded";
    Scenario::new("stale_reply", about, "nanomsg/nng v1.10.1 req.c", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::StaleReplyAccepted, "a payload reaches only the request it is tagged for")
        .loom_finds(&[Variant::StaleReplyAccepted])
        .sometimes(&["a reply finds no request"])
        .small(Plan { requests: 2, workers: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (2..=3_u64, 1..=2_u32).prop_map(|(requests, workers)| Plan { requests, workers })
}

fn run(variant: Variant, plan: &Plan) {
    const CALLER: Owner = Owner::new("caller", 0);
    let nng = Nng::init(variant, Threads { workers: plan.workers, ..Threads::ONE });
    let req = nng.req0_open(ReqOptions::ONCE);
    let link = Socket::connect_script(&req, echo());
    let Ok(ctx) = Ctx::open(&req) else { return };
    let last = Tag { peer: 0, request: plan.requests - 1 };
    for request in 0..plan.requests {
        let sent = ctx.sendmsg(CALLER, Message::tagged(CALLER, Tag { request, ..last }), Timeout::Infinite);
        sent.into_iter().for_each(drop);
    }
    if let Ok(reply) = ctx.recvmsg(CALLER, Timeout::Infinite) {
        ledger::deliver(reply.tag(CALLER).unwrap_or(last), last);
        reply.free(CALLER);
    }
    let _ = ctx.close();
    let _ = req.close();
    drop(link);
    nng.fini();
}
