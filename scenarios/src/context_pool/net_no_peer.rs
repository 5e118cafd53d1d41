//! No peer is reachable for a while: attempts to connect are refused or hang, backlogs are full, greetings are not
//! answered. Requests wait to be sent, and end by timeout, cancel or close; each unsent message returns to its caller.
//!
//! Upstream: nanomsg/nng#2140, #1702; dialer_timer_start_locked and tcptran_pipe_nego_cb of v1.10.1.
//! Size: up to 3 callers with 2 requests each, 2 contexts with up to 3 requests; up to 4 attempts fail; 2 workers at
//! each end.
use crate::prelude::*;
use models::context_pool::{Attempt, Greeting, Habit, NetPlan, Replier, Request, Style, Variant, plan, run_on_network};

/// How attempts to connect fail; a greeting is eight bytes.
const KINDS: [FaultKind; 4] = [FaultKind::Refuse, FaultKind::Hang, FaultKind::Blackhole, FaultKind::Reset];

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Requests wait for an unreachable peer, and fail";
    Scenario::on_network("net_no_peer", about, "nanomsg/nng#2140", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::NoFreeOnSendFail, "nng_msg is released by quiescence")
        .sometimes(&[
            "an attempt to connect fails",
            "two ends do not complete their greetings",
            "a context is closed while its send is queued",
            "a receive is cancelled while its send is queued",
            "a request is answered",
        ])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let request = prop_oneof![2 => plan::any_request(), 1 => (1..60_u64).prop_map(Request::Timeout), 1 => (1..30_u64).prop_map(Request::Leave)];
    let callers = plan::callers(3, 2, request);
    let attempt = (1..60_u64, 1..60_u64, prop::option::of(1..40_u64), 1..40_u64);
    let attempt = attempt.prop_map(|(send, recv, cancel, next)| Attempt { send, recv, cancel, next });
    let overtakers = prop::collection::vec(prop::collection::vec(attempt, 1..=3), 0..=2);
    let style = prop_oneof![Just(Style::ContextPerRequest), Just(Style::ContextPool(2))];
    let greeting = prop_oneof![Just(Greeting::Pub), Just(Greeting::Http), Just(Greeting::Silence)];
    let peer = prop::collection::vec(greeting, 0..=3)
        .prop_map(|greetings| Replier::Peer { greetings, habits: vec![Habit::Reply] });
    let replier = prop_oneof![Just(Replier::REP), peer];
    (callers, overtakers, style, faults(4, &KINDS, 0..=4, 8), replier, 1..=4_u32).prop_map(
        |(callers, overtakers, style, faults, replier, dialers)| NetPlan {
            weather: Weather { backlog: 1, faults, ..Weather::FAIR },
            dialers,
            patience_ms: 300,
            style,
            callers,
            overtakers,
            replier,
            ..NetPlan::quiet()
        },
    )
}
