//! A pipe that is closed with a request on it is not available to the next receive.
//!
//! Upstream: nanomsg/nng#1959 (segmentation fault in respond.c), commit 513f9d1b; rep.c has always had the line.
//! Size: a caller, a server context that starts late, 2 workers, the reaper.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Nng, ReqOptions, Server, Socket, Threads, Timeout, Variant, Wrapper};

/// The number of contexts that receive after the pipes are closed, and the time that the request has to reach its pipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    contexts: u32,
    pause_ms: u64,
}
bounds!(Plan { contexts: 1..=8, pause_ms: 0..=1_000 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A pipe is closed while a request waits on it to be received";
    Scenario::new("recv_after_pipe_closed", about, "nanomsg/nng#1959", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::PipeCloseKeepsRecvpipes, "rep0_pipe is not used after its release")
        .sometimes(&["a request waits on its pipe for a receive"])
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=2_u32, 0..10_u64).prop_map(|(contexts, pause_ms)| Plan { contexts, pause_ms })
}

fn run(variant: Variant, plan: &Plan) {
    let nng = Nng::init(variant, Threads { timers: false, ..Threads::NNG });
    let (req, rep) = (nng.req0_open(ReqOptions::ONCE), nng.rep0_open());
    let connected = Socket::connect(&req, &rep, 1).is_ok();
    always("a connection between open sockets is made", connected);
    let Ok(wrapper) = Wrapper::open(&nng, &req, Owner::new("caller", 0)) else { return };
    wrapper.request(Tag { peer: 0, request: 0 }, Timeout::Infinite);
    time::sleep(Duration::from_millis(plan.pause_ms));
    rep.close_pipes();
    wrapper.retire();
    rep.wait_without_pipes();
    let server = Server::start(&nng, &rep, plan.contexts, None);
    let _ = req.close();
    server.into_iter().for_each(Server::stop);
    let _ = rep.close();
    nng.fini();
}
