//! On a network, a late reply arrives when its context has another request: requests replace and cancel one another,
//! with and without a connection, and none gets the reply to another.
//!
//! Upstream: req0_ctx_reset of v1.10.1, nng_req(7), nanomsg/nng#1702.
//! Size: up to 3 contexts with 3 requests each, whose sends, receives and cancels end within milliseconds of one
//! another; 2 workers.
use crate::prelude::*;
use models::context_pool::{Attempt, Habit, NetPlan, Replier, Variant, run_on_network};

/// A request takes some 500 steps, more when its bytes come one by one.
const STEPS_MAX: u32 = 100_000;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A late reply arrives after its context has sent another request";
    Scenario::on_network("net_stale_reply", about, "nanomsg/nng#1702", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::StaleReplyAccepted, "a payload reaches only the request it is tagged for")
        .violates(Variant::RecvCancelLeavesNullReqMsg, "a req0_ctx with a send_aio has its req_msg")
        .violates(Variant::SendCancelStrandsRecv, "a req0_ctx with a recv_aio has its request")
        .violates(Variant::StaleRecvCancelAbortsNewSend, "cancelling a receive ends only the request that it waits for")
        .violates(Variant::AbortOverwritesResult, "nng_msg is released by quiescence")
        .sometimes(&[
            "a reply finds no request",
            "a receive is cancelled while its send is queued",
            "a queued send is cancelled while a receive waits",
            "a receive ends while its cancel function is on its way",
            "a request that could be overtaken is answered",
        ])
        .steps_max(STEPS_MAX)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let habit =
        prop_oneof![2 => Just(Habit::Reply), 2 => (1..20_u64).prop_map(Habit::Late), 1 => Just(Habit::Again(2))];
    let habits = prop::collection::vec(habit, 1..=4);
    let attempt = (1..30_u64, 1..30_u64, prop::option::of(1..20_u64), 1..20_u64);
    let attempt = attempt.prop_map(|(send, recv, cancel, next)| Attempt { send, recv, cancel, next });
    let overtakers = prop::collection::vec(prop::collection::vec(attempt, 1..=3), 1..=3);
    let faults =
        faults(4, &[FaultKind::Refuse, FaultKind::Hang, FaultKind::Reset, FaultKind::Stall { ms: 15 }], 0..=1, 60);
    let resend = prop_oneof![Just(None), (5..20_u64).prop_map(Some)];
    (overtakers, habits, faults, resend).prop_map(|(overtakers, habits, faults, resend_ms)| NetPlan {
        weather: Weather { faults, ..Weather::FAIR },
        resend_ms,
        overtakers,
        replier: Replier::peer(habits),
        ..NetPlan::quiet()
    })
}
