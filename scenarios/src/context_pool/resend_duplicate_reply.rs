//! A request is sent again while its first reply is on the way: one reply is received, the other is dropped.
//!
//! Upstream: req0_retry_cb and req0_recv_cb of v1.10.1; nng_req(7): requests are resent, and a peer may reply to each.
//! Size: up to 3 callers with 2 requests each, a resend time of some milliseconds, 2 server contexts; 2 workers.
use crate::prelude::*;
use models::context_pool::{Plan, Style, Threads, Variant, plan, run};

/// The timer slack of a run: it limits a run to about forty resends, so that the run ends.
const TIMER_SLACK: Duration = Duration::from_millis(200);

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A request is sent again and answered twice";
    Scenario::new("resend_duplicate_reply", about, "nanomsg/nng nng_req(7)", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::FreeAfterSendOk, "nng_msg reaches count zero only without holders")
        .timer_slack(TIMER_SLACK)
        .sometimes(&["a request is sent again because its resend time has passed", "a reply finds no request"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let callers = plan::callers(3, 2, plan::waited());
    (callers, 5_u64..20, any::<bool>()).prop_map(|(callers, resend_ms, pooled)| Plan {
        threads: Threads::NNG,
        pipes: 2,
        capacity: 2,
        server_contexts: 2,
        resend_ms: Some(resend_ms),
        style: if pooled { Style::ContextPool(2) } else { Style::ContextPerRequest },
        callers,
        acts: Vec::new(),
    })
}
