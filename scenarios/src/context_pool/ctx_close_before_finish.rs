//! A reply has been taken for a receive that is not finished yet; the context is closed, and then the aio is stopped.
//!
//! Upstream: follows from req0_recv_cb and nni_aio_stop of v1.10.1 (the cancel function stays until nni_aio_finish),
//! and still holds in the main branch; not reported. Size: up to 2 callers with a request each, closed at once; an
//! echoing peer, 1 or 2 workers. Small: 1 caller, 1 worker.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Nng, ReqOptions, Socket, Threads, Timeout, Variant, Wrapper, echo};

/// Callers, and the library's workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    callers: u32,
    workers: u32,
}
bounds!(Plan { callers: 1..=8, workers: 1..=4 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A context is closed between the arrival of its reply and the end of its receive";
    Scenario::new("ctx_close_before_finish", about, "nanomsg/nng v1.10.1 req.c", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::DetachedAioKeepsCancelFn, "req0_ctx is not used after its release")
        .violates(Variant::CloseWithoutAioWait, "wrapper outlives its callback")
        .loom_finds(&[Variant::DetachedAioKeepsCancelFn, Variant::CloseWithoutAioWait])
        .sometimes(&["a request is answered", "a reply finds no request"])
        .small(Plan { callers: 1, workers: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=2_u32, 1..=2_u32).prop_map(|(callers, workers)| Plan { callers, workers })
}

fn run(variant: Variant, plan: &Plan) {
    let nng = Nng::init(variant, Threads { workers: plan.workers, ..Threads::ONE });
    let req = nng.req0_open(ReqOptions::ONCE);
    let link = Socket::connect_script(&req, echo());
    let owners = (0..plan.callers).map(|peer| Owner::new("caller", peer));
    let wrappers: Vec<_> = owners.filter_map(|owner| Wrapper::open(&nng, &req, owner).ok()).collect();
    for (wrapper, peer) in wrappers.iter().zip(0_u32..) {
        wrapper.request(Tag { peer, request: 0 }, Timeout::Infinite);
    }
    for wrapper in wrappers {
        wrapper.retire();
    }
    let _ = req.close();
    drop(link);
    nng.fini();
}
