//! round_robin keeps every address that it is connecting to, so no connection loses its owner: the report's workaround.
//!
//! Upstream: grpc/grpc#38871, which public write-ups say round_robin avoids.
//! Size: as `unselected_connecting_dropped`, of which it is the negative control.
use super::unselected_connecting_dropped::plans_with;
use crate::prelude::*;
use models::subchannel::{Plan, PolicyName, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "round_robin keeps the address that it connects to when another one is READY";
    Scenario::new("round_robin_keeps_connecting", about, "grpc/grpc#38871", plans, run)
        .clean(Variant::Fixed)
        .clean(Variant::ConnectResultDroppedOnShutdown)
        .sometimes(&["everything comes to rest", "a call is answered"])
}

fn plans() -> impl Strategy<Value = Plan> {
    plans_with(PolicyName::RoundRobin)
}
