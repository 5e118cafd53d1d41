//! Concurrent teardown: contexts, pipes and both sockets are closed while requests, timeouts and attempts to connect
//! are under way.
//!
//! Upstream: nni_sock_shutdown of v1.10.1; upstream's tests are test_req_ctx_recv_close_socket and rep's close tests.
//! Size: up to 4 callers with 3 requests each, 2 contexts whose requests overtake one another; up to 3 closes; 2
//! workers at each end.
use crate::prelude::*;
use models::context_pool::{Act, Attempt, NetPlan, Replier, Request, Style, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Concurrent teardown of contexts, pipes and sockets with requests in flight";
    Scenario::on_network("net_context_teardown", about, "nanomsg/nng req_test.c", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::CloseWithoutAioWait, "wrapper outlives its callback")
        .violates(Variant::RefusedCtxStaysListed, "no task waits forever")
        .sometimes(&["a request is answered", "a context is refused because its socket is closing"])
        .steps_max(100_000)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let request = prop_oneof![3 => plan::any_request(), 2 => (1..20_u64).prop_map(Request::Leave)];
    let callers = plan::callers(4, 3, request);
    let attempt = (5..30_u64, 5..30_u64, prop::option::of(1..20_u64), 1..20_u64);
    let attempt = attempt.prop_map(|(send, recv, cancel, next)| Attempt { send, recv, cancel, next });
    let overtakers = prop::collection::vec(prop::collection::vec(attempt, 1..=3), 0..=2);
    let act = prop_oneof![3 => (1..20_u64).prop_map(Act::Pause), 1 => Just(Act::ClosePipes), 1 => Just(Act::CloseRep)];
    let acts = prop::collection::vec(act, 0..=3);
    let style = prop_oneof![Just(Style::ContextPerRequest), Just(Style::ContextPool(2))];
    let faults = faults(4, &[FaultKind::Reset, FaultKind::Hang, FaultKind::Stall { ms: 20 }], 0..=1, 100);
    (callers, overtakers, acts, style, faults).prop_map(|(callers, overtakers, mut acts, style, faults)| {
        acts.push(Act::CloseReq);
        let plan = NetPlan {
            weather: Weather { faults, ..Weather::SHORT },
            acts,
            dialers: 2,
            patience_ms: 300,
            ..NetPlan::quiet()
        };
        NetPlan { resend_ms: Some(25), style, callers, overtakers, replier: Replier::REP, ..plan }
    })
}
