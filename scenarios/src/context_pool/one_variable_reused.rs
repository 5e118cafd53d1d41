//! One variable holds the request and then the reply, and is freed at the end. That is correct.
//!
//! Upstream: nanomsg/nng#2140. The reporter saw a free after nng_sendmsg; the receive in between had put another
//! message into the variable. A negative control.
//! Size: up to 3 callers with a context each, an echoing peer, 2 workers. Small: 1 caller, 1 worker.
use crate::prelude::*;
use lastref::ledger::{self, Owner, Tag};
use models::context_pool::{Ctx, Message, Nng, ReqOptions, Socket, Threads, Timeout, Variant, echo};

/// Callers, and the library's workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    callers: u32,
    workers: u32,
}
bounds!(Plan { callers: 1..=8, workers: 1..=4 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A caller reuses one variable for request and reply";
    Scenario::new("one_variable_reused", about, "nanomsg/nng#2140", plan, run)
        .clean(Variant::Fixed)
        .sometimes(&["a reply is received and freed"])
        .small(Plan { callers: 1, workers: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=3_u32).prop_map(|callers| Plan { callers, workers: 2 })
}

fn run(variant: Variant, plan: &Plan) {
    let nng = Nng::init(variant, Threads { workers: plan.workers, ..Threads::ONE });
    let req = nng.req0_open(ReqOptions::ONCE);
    let link = Socket::connect_script(&req, echo());
    let contexts = (0..plan.callers).filter_map(|peer| Some((Ctx::open(&req).ok()?, peer)));
    let callers: Vec<_> = contexts.map(|(ctx, peer)| thread::spawn(move || call(&ctx, peer))).collect();
    callers.into_iter().for_each(thread::JoinHandle::join);
    let _ = req.close();
    drop(link);
    nng.fini();
}

fn call(ctx: &Ctx, peer: u32) {
    let (owner, tag) = (Owner::new("caller", peer), Tag { peer, request: 0 });
    let mut msg = Message::tagged(owner, tag);
    let sent = ctx.sendmsg(owner, msg, Timeout::Infinite);
    always("a request with a peer is sent", sent.is_ok());
    let Ok(received) = ctx.recvmsg(owner, Timeout::Infinite) else { return };
    msg = received;
    ledger::deliver(msg.tag(owner).unwrap_or(tag), tag);
    msg.free(owner);
    sometimes("a reply is received and freed", true);
}
