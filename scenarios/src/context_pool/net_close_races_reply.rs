//! A context is closed at about the time when its reply arrives over the network: the reply is delivered or freed, the
//! callback runs before its argument is freed, and no callback uses the context afterwards.
//!
//! Upstream: nanomsg/nng#2111; nng_ctx_close and req0_recv_cb of v1.10.1.
//! Size: 2 or 3 callers with 2 or 3 requests each, closed after some milliseconds; 1 or 2 connections; 2 workers.
use crate::prelude::*;
use models::context_pool::{Habit, NetPlan, Replier, Request, Variant, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A context is closed at about the time when its reply arrives";
    Scenario::on_network("net_close_races_reply", about, "nanomsg/nng#2111", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::CloseWithoutAioWait, "wrapper outlives its callback")
        .violates(Variant::DetachedAioKeepsCancelFn, "req0_ctx is not used after its release")
        .sometimes(&["a request is answered", "a reply finds no request"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let callers = prop::collection::vec(prop::collection::vec((1..=9_u64).prop_map(Request::Leave), 2..=3), 2..=3);
    (callers, 1..=2_u32).prop_map(|(callers, dialers)| NetPlan {
        weather: Weather { latency_ms: (1, 1), ..Weather::FAIR },
        dialers,
        callers,
        replier: Replier::peer(vec![Habit::Reply]),
        ..NetPlan::quiet()
    })
}
