//! The reported load on a network: callers with a context for each request, on one socket with several connections.
//! Nothing goes wrong, and every request that is waited for is answered.
//!
//! Upstream: nanomsg/nng#2111.
//! Size: up to 4 callers with 2 requests each; 1 or 2 connections, bytes in any pieces; 2 workers at each end.
use crate::prelude::*;
use models::context_pool::{NetPlan, Replier, Style, Variant, plan, run_on_network};

/// A request takes some 500 steps, more when its bytes come one by one.
const STEPS_MAX: u32 = 100_000;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "Callers open and close contexts on a network, and each is answered";
    Scenario::on_network("net_context_crowd", about, "nanomsg/nng#2111", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::FreeAfterSendOk, "nng_msg reaches count zero only without holders")
        .violates(Variant::CloseWithoutAioWait, "wrapper outlives its callback")
        .sometimes(&["a request is answered", "a message is written in parts"])
        .steps_max(STEPS_MAX)
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let callers = plan::callers(4, 2, plan::any_request());
    let style = prop_oneof![Just(Style::ContextPerRequest), Just(Style::ContextPool(2))];
    (callers, style, 1..=2_u32, 1..=3_u32, any::<bool>()).prop_map(|(callers, style, dialers, contexts, short)| {
        NetPlan {
            weather: Weather { short, ..Weather::FAIR },
            dialers,
            style,
            callers,
            replier: Replier::Rep { contexts, works_ms: None },
            ..NetPlan::quiet()
        }
    })
}
