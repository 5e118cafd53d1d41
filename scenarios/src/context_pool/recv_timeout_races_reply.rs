//! A request times out while its reply is on the way: it ends exactly once, with the reply or with the timeout.
//!
//! Upstream: the expiration thread against req0_recv_cb (v1.10.1 with 784bfd66).
//! Size: up to 3 callers with 2 requests each, of which some have a timeout; 2 workers, the timers.
use crate::prelude::*;
use models::context_pool::{Plan, Request, Style, Threads, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A request times out while its reply is on the way";
    Scenario::new("recv_timeout_races_reply", about, "nanomsg/nng@784bfd66", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::StopIgnoresExpiring, "nni_aio is not used after its release")
        .sometimes(&["a receive ends while its cancel function is on its way", "a request is answered"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let request = prop_oneof![plan::waited(), (1_u64..20).prop_map(Request::Timeout)];
    plan::callers(3, 2, request).prop_map(|callers| Plan {
        threads: Threads::NNG,
        pipes: 1,
        capacity: 2,
        server_contexts: 1,
        resend_ms: None,
        style: Style::ContextPerRequest,
        callers,
        acts: Vec::new(),
    })
}
