//! A socket is not freed before the last of its contexts is torn down.
//!
//! Upstream: follows from nni_ctx_rele and nni_sock_close of v1.10.1, and still holds in the main branch; not reported.
//! Size: up to 3 contexts, each closed by a thread of its own while the socket is closed. Small: one context.
use crate::prelude::*;
use models::context_pool::{Ctx, Nng, ReqOptions, Threads, Variant};

/// Contexts, each with a thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    contexts: usize,
}
bounds!(Plan { contexts: 1..=8 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A socket is closed while its contexts are being closed";
    Scenario::new("ctx_close_races_socket_close", about, "nanomsg/nng v1.10.1 socket.c", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::CtxLeavesListBeforeFini, "req0_sock is not used after its release")
        .loom_finds(&[Variant::CtxLeavesListBeforeFini])
        .sometimes(&["a socket waits for a context that is being closed"])
        .small(Plan { contexts: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=3_usize).prop_map(|contexts| Plan { contexts })
}

fn run(variant: Variant, plan: &Plan) {
    let nng = Nng::init(variant, Threads::NONE);
    let req = nng.req0_open(ReqOptions::ONCE);
    let contexts: Vec<Ctx> = (0..plan.contexts).filter_map(|_| Ctx::open(&req).ok()).collect();
    let closers: Vec<_> = contexts.into_iter().map(|ctx| thread::spawn(move || ctx.close().is_ok())).collect();
    let closed = req.close();
    always("a socket that is open is closed", closed.is_ok());
    // A context is closed by its own thread or by the socket, whichever comes first.
    let by_thread = closers.into_iter().map(thread::JoinHandle::join).filter(|&closed| closed).count();
    sometimes("a context is closed by its socket", by_thread < plan.contexts);
    nng.fini();
}
