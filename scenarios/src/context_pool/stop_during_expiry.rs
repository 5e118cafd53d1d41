//! Stopping an aio waits for an expiration that is in progress.
//!
//! Upstream: nanomsg/nng commit 784bfd66 ("stop has to wait for expirations to finish").
//! Size: a caller whose sends time out, and the expiration thread; no peer, no worker.
use crate::prelude::*;
use lastref::ledger::{Owner, Tag};
use models::context_pool::{Aio, Ctx, Message, Nng, ReqOptions, Threads, Timeout, Variant};

/// The timeout of each send, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    timeouts_ms: Vec<u64>,
}
bounds!(Plan { timeouts_ms: List(1..=8, 1..=1_000) });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "An aio is stopped and freed while its operation expires";
    Scenario::new("stop_during_expiry", about, "nanomsg/nng@784bfd66", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::StopIgnoresExpiring, "nni_aio is not used after its release")
        .sometimes(&["an aio is stopped while it expires"])
}

fn plan() -> impl Strategy<Value = Plan> {
    prop::collection::vec(1_u64..20, 1..=3).prop_map(|timeouts_ms| Plan { timeouts_ms })
}

fn run(variant: Variant, plan: &Plan) {
    const CALLER: Owner = Owner::new("caller", 0);
    let nng = Nng::init(variant, Threads { timers: true, ..Threads::NONE });
    let req = nng.req0_open(ReqOptions::ONCE);
    let Ok(ctx) = Ctx::open(&req) else { return };
    for (timeout, request) in plan.timeouts_ms.iter().zip(0_u64..) {
        let aio = Aio::alloc(&nng, None);
        aio.set_timeout(Timeout::After(Duration::from_millis(*timeout)));
        aio.set_msg(CALLER, Message::tagged(CALLER, Tag { peer: 0, request }));
        ctx.send(&aio);
        aio.stop();
        aio.take_msg(CALLER).iter().for_each(|msg| msg.free(CALLER));
        aio.free();
    }
    let _ = req.close();
    nng.fini();
}
