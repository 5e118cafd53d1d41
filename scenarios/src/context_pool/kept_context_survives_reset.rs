//! A reused context reports that its connection broke, and then serves the next request.
//!
//! Upstream: req0_pipe_close and req0_ctx_recv of v1.10.1 (conn_reset); nanomsg/nng#2111 for contexts that are kept.
//! Size: up to 3 callers with 3 requests each, 2 echoing peers, 1 or 2 workers. Small: 1 caller, 1 request, 1 worker.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Errno, Link, Nng, ReqOptions, Socket, Threads, Timeout, Variant, Wrapper, echo};

/// Callers, their requests, and the library's workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    callers: u32,
    requests: u64,
    workers: u32,
}
bounds!(Plan { callers: 1..=8, requests: 1..=8, workers: 1..=4 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A connection breaks under callers that keep their contexts";
    Scenario::new("kept_context_survives_reset", about, "nanomsg/nng v1.10.1 req.c", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::FreeAfterSendOk, "nng_msg reaches count zero only without holders")
        .loom_finds(&[Variant::FreeAfterSendOk])
        .sometimes(&["a request ends because its connection broke", "a context is reused after NNG_ECONNRESET"])
        .small(Plan { callers: 1, requests: 1, workers: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=3_u32, 1..=3_u64, 1..=2_u32).prop_map(|(callers, requests, workers)| Plan { callers, requests, workers })
}

fn run(variant: Variant, plan: &Plan) {
    let nng = Nng::init(variant, Threads { workers: plan.workers, ..Threads::ONE });
    let req = nng.req0_open(ReqOptions::ONCE);
    let connect = |_| Socket::connect_script(&req, echo()).ok();
    let links: Vec<Link> = (0..2).filter_map(connect).collect();
    let (requests, owners) = (plan.requests, (0..plan.callers).map(|peer| Owner::new("caller", peer)));
    let wrappers = owners.filter_map(|owner| Wrapper::open(&nng, &req, owner).ok()).zip(0..);
    let callers = wrappers.map(|(wrapper, peer)| thread::spawn(move || call(&wrapper, peer, requests)));
    let callers: Vec<_> = callers.collect();
    links.iter().for_each(Link::reset);
    connect(2);
    callers.into_iter().for_each(thread::JoinHandle::join);
    let _ = req.close();
    nng.fini();
}

fn call(wrapper: &Wrapper, peer: u32, requests: u64) {
    let mut told = false;
    for request in 0..requests {
        wrapper.request(Tag { peer, request }, Timeout::Infinite);
        let result = wrapper.wait();
        always("a request is answered, or gets NNG_ECONNRESET", matches!(result, Some(Ok(()) | Err(Errno::ConnReset))));
        sometimes("a context is reused after NNG_ECONNRESET", told && result == Some(Ok(())));
        told |= result != Some(Ok(()));
    }
    sometimes("a request ends because its connection broke", told);
    wrapper.retire();
}
