//! An abort of a completed operation changes nothing: the receiver of a message still gets success.
//!
//! Upstream: follows from nni_aio_abort since commit 3ca7bcc0, which puts the abort's code into a_result, and still
//! holds in the main branch; not reported. Size: a caller with an echoing peer, another thread that aborts the receive,
//! 1 or 2 workers. Small: 1 worker.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Aio, Ctx, Message, Nng, ReqOptions, Socket, Threads, Timeout, Variant, echo};

/// Workers of the task queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    workers: u32,
}
bounds!(Plan { workers: 1..=4 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A receive is aborted after its message has arrived";
    Scenario::new("abort_after_completion", about, "nanomsg/nng@3ca7bcc0", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::AbortOverwritesResult, "nng_msg is released by quiescence")
        .loom_finds(&[Variant::AbortOverwritesResult])
        .sometimes(&["a message is received though its receive is being aborted"])
        .small(Plan { workers: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=2_u32).prop_map(|workers| Plan { workers })
}

fn run(variant: Variant, plan: &Plan) {
    const CALLER: Owner = Owner::new("caller", 0);
    let nng = Nng::init(variant, Threads { workers: plan.workers, ..Threads::ONE });
    let req = nng.req0_open(ReqOptions::ONCE);
    let link = Socket::connect_script(&req, echo());
    let Ok(ctx) = Ctx::open(&req) else { return };
    let sent = ctx.sendmsg(CALLER, Message::tagged(CALLER, Tag { peer: 0, request: 0 }), Timeout::Infinite);
    always("a request with a ready pipe is sent", sent.is_ok());
    let aio = Aio::alloc(&nng, None);
    let aborted = std::sync::Arc::clone(&aio);
    let canceller = thread::spawn(move || aborted.cancel_operation());
    ctx.recv(&aio);
    aio.wait();
    if aio.result().is_ok() {
        sometimes("a message is received though its receive is being aborted", true);
        aio.take_msg(CALLER).iter().for_each(|msg| msg.free(CALLER));
    }
    canceller.join();
    aio.free();
    let _ = req.close();
    drop(link);
    nng.fini();
}
