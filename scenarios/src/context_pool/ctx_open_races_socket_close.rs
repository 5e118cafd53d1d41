//! A context that is refused because its socket is closing does not keep the socket from closing.
//!
//! Upstream: follows from nni_ctx_open of v1.10.1, and still holds in the main branch; not reported.
//! Size: up to 3 threads that open a context while the socket is closed. Small: one.
use crate::prelude::*;
use models::context_pool::{Ctx, Nng, ReqOptions, Threads, Variant};

/// Threads that open a context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    openers: usize,
}
bounds!(Plan { openers: 1..=8 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A context is opened while its socket is being closed";
    Scenario::new("ctx_open_races_socket_close", about, "nanomsg/nng v1.10.1 socket.c", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::RefusedCtxStaysListed, "no task waits forever")
        .loom_finds(&[Variant::RefusedCtxStaysListed])
        .sometimes(&["a context is refused because its socket is closing"])
        .small(Plan { openers: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=3_usize).prop_map(|openers| Plan { openers })
}

fn run(variant: Variant, plan: &Plan) {
    let nng = Nng::init(variant, Threads::NONE);
    let req = nng.req0_open(ReqOptions::ONCE);
    let opener = || std::sync::Arc::clone(&req);
    let openers: Vec<_> = (0..plan.openers).map(|_| (opener)()).collect();
    let openers: Vec<_> = openers.into_iter().map(|req| thread::spawn(move || drop(Ctx::open(&req)))).collect();
    let closed = req.close();
    always("a socket that is open is closed", closed.is_ok());
    openers.into_iter().for_each(thread::JoinHandle::join);
    nng.fini();
}
