//! A connection is reset, blackholed, stalled, refused or never made, at any byte of a greeting, a request or a reply:
//! the dialer connects again, and each request is sent again, fails with an error, or times out.
//!
//! Upstream: req0_pipe_close and nni_pipe_remove of v1.10.1; upstream's test is reconnect_stress_test.c.
//! Size: up to 3 callers with 3 requests each; up to 3 faults of 4 connections; 2 workers at each end.
use crate::prelude::*;
use models::context_pool::{NetPlan, Replier, Style, Variant, plan, run_on_network};

/// A request takes some 500 steps, more when its bytes come one by one.
const STEPS_MAX: u32 = 100_000;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A connection fails at any byte of requests and replies";
    Scenario::on_network("net_connection_faults", about, "nanomsg/nng reconnect_stress_test.c", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::FreeAfterSendOk, "nng_msg reaches count zero only without holders")
        .violates(Variant::StopIgnoresExpiring, "nni_aio is not used after its release")
        .violates(Variant::PartialSendMissesClose, "no task waits forever")
        .sometimes(&[
            "a connection breaks under a pipe",
            "a connection ends within a message",
            "a dialer connects again",
            "an attempt to connect fails",
            "a request is sent again because its pipe was lost",
            "a request is answered",
        ])
        .steps_max(STEPS_MAX)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let callers = plan::callers(3, 3, plan::any_request());
    let style = prop_oneof![Just(Style::ContextPerRequest), Just(Style::ContextPool(2))];
    let resend = prop_oneof![Just(None), (20..200_u64).prop_map(Some)];
    let faults = faults(4, &FaultKind::OF_CONNECTIONS, 0..=3, 120);
    (callers, style, resend, faults, 1..=2_u32).prop_map(|(callers, style, resend_ms, faults, dialers)| NetPlan {
        weather: Weather { faults, ..Weather::SHORT },
        dialers,
        resend_ms,
        patience_ms: 600,
        style,
        callers,
        replier: Replier::REP,
        ..NetPlan::quiet()
    })
}
