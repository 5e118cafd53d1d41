//! An operation ends no earlier than its timeout, and later by at most the timer slack of the run.
//!
//! Upstream: nni_aio_schedule and nni_aio_expire_loop of v1.10.1.
//! Size: up to 4 callers with 2 operations each, of up to 200 ms, on a silent peer or without a peer; 2 workers.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use lastref::time::Instant;
use models::context_pool::{Ctx, Message, Nng, ReqOptions, Socket, Threads, Timeout, Variant};

/// The timer slack of a run: the expiration thread may be late by this much.
const SLACK: Duration = Duration::from_millis(5);

/// The callers' timeouts in milliseconds, and whether there is a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    timeouts: Vec<u64>,
    connected: bool,
}
bounds!(Plan { timeouts: List(1..=8, 1..=1_000), connected: Part });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Operations end when their timeout expires";
    Scenario::new("timeout_is_kept", about, "nanomsg/nng aio.c", plan, run)
        .clean(Variant::Fixed)
        .timer_slack(SLACK)
        .sometimes(&["a send times out", "a receive times out"])
}

fn plan() -> impl Strategy<Value = Plan> {
    let timeouts = prop::collection::vec(1..=200_u64, 1..=4);
    (timeouts, any::<bool>()).prop_map(|(timeouts, connected)| Plan { timeouts, connected })
}

fn run(variant: Variant, plan: &Plan) {
    let nng = Nng::init(variant, Threads::NNG);
    let req = nng.req0_open(ReqOptions::ONCE);
    let link = plan.connected.then(|| Socket::connect_script(&req, Box::new(|_| Vec::new())));
    let contexts = plan.timeouts.iter().zip(0..).filter_map(|(ms, peer)| Some((Ctx::open(&req).ok()?, *ms, peer)));
    let calls = contexts.map(|(ctx, ms, peer)| thread::spawn(move || call(&ctx, Duration::from_millis(ms), peer)));
    calls.collect::<Vec<_>>().into_iter().for_each(thread::JoinHandle::join);
    drop((req.close(), link));
    nng.fini();
}

fn call(ctx: &Ctx, time: Duration, peer: u32) {
    let owner = Owner::new("caller", peer);
    let mut begun = Instant::now();
    let sent = ctx.sendmsg(owner, Message::tagged(owner, Tag { peer, request: 0 }), Timeout::After(time));
    sometimes("a send times out", sent.is_err());
    if let Err((_, msg)) = sent {
        msg.free(owner);
    } else {
        begun = Instant::now();
        let received = ctx.recvmsg(owner, Timeout::After(time));
        sometimes("a receive times out", received.is_err());
    }
    always("an operation does not end before its timeout", begun.elapsed() >= time);
    always("an operation ends within its timeout and the timer slack", begun.elapsed() <= time + SLACK);
}
