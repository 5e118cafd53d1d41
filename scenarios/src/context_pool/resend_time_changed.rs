//! A new resend time decides whether an outstanding request is resent when its pipe is lost.
//!
//! Upstream: req0_ctx_set_resend_time and req0_pipe_close of v1.10.1; nanomsg/nng#2106, where the resend time decided
//! who owned a message. Size: 1 or 2 requests, a silent and an echoing peer; 2 workers, the timers.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Aio, Ctx, Errno, Link, Message, Nng, ReqOptions, Socket, Threads, Timeout, Variant, echo};

const CALLER: Owner = Owner::new("caller", 0);

/// The resend times before and after a request is sent, in seconds, and whether its receive is under way by then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    requests: Vec<(Option<u64>, Option<u64>, bool)>,
}
bounds!(Plan { requests: List(1..=4, (Maybe(1..=600), Maybe(1..=600), Part)) });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A resend time is set while a request is outstanding";
    Scenario::new("resend_time_changed", about, "nanomsg/nng#2106", plan, run)
        .clean(Variant::Fixed)
        // The clock may run ahead of tasks that are ready, but not to the next resend.
        .timer_slack(Duration::from_secs(2))
        .sometimes(&["a request is sent again because its pipe was lost", "a request is lost with its pipe"])
}

fn plan() -> impl Strategy<Value = Plan> {
    let time = || prop::option::of(Just(60_u64));
    prop::collection::vec((time(), time(), any::<bool>()), 1..=2).prop_map(|requests| Plan { requests })
}

fn run(variant: Variant, plan: &Plan) {
    let nng = Nng::init(variant, Threads::NNG);
    let req = nng.req0_open(ReqOptions::ONCE);
    for (&(before, after, receives), request) in plan.requests.iter().zip(0..) {
        let ctx = req.set_resend_time(before.map(Duration::from_secs)).and_then(|()| Ctx::open(&req));
        let silent = Socket::connect_script(&req, Box::new(|_| Vec::new()));
        let (Ok(ctx), Ok(silent)) = (ctx, silent) else { continue };
        let sent = ctx.sendmsg(CALLER, Message::tagged(CALLER, Tag { peer: 0, request }), Timeout::Infinite);
        let aio = Aio::alloc(&nng, None);
        receives.then(|| ctx.recv(&aio));
        let changed = ctx.set_resend_time(after.map(Duration::from_secs));
        let echoing = Socket::connect_script(&req, echo());
        silent.reset();
        (!receives).then(|| ctx.recv(&aio));
        aio.wait();
        always("a connected socket sends, and takes a resend time", sent.is_ok() && changed.is_ok());
        let expected = if after.is_some() { Ok(()) } else { Err(Errno::ConnReset) };
        always("a request that lost its pipe ends as its resend time says", aio.result() == expected);
        sometimes("a request is lost with its pipe", aio.result().is_err());
        aio.take_msg(CALLER).iter().for_each(|reply| reply.free(CALLER));
        aio.free();
        // The next request is to go to a silent peer again.
        echoing.iter().for_each(Link::reset);
        req.wait_without_pipes();
    }
    let _ = req.close();
    nng.fini();
}
