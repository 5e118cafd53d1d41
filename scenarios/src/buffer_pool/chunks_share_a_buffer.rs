//! A chunk is appended to the buffer of the chunk before it; the handler reads only octets that were written there.
//!
//! Upstream: lesismal/nbio@b836026, body.go append of v1.5.4 to v1.5.7; buffers keep the octets of their last owner.
//! Size: 2 or 3 clients with up to 3 requests each in small chunks; the ledger does not follow the pools; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Audit, Ending, Plan, PlannedRequest, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A chunk is appended to a pooled buffer with old octets";
    Scenario::new("chunks_share_a_buffer", about, "lesismal/nbio@b836026", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::AppendGrowsToCap, "a payload reaches only the request it is tagged for")
        .sometimes(&["a chunk is appended to the buffer of another chunk", "a body is echoed to its end"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let chunks = prop::collection::vec(1..=3_u32, 1..=4);
    let ask = chunks.prop_map(|chunks| PlannedRequest::chunked(chunks, vec![Step::ReadAll]));
    let asks = prop::collection::vec(ask, 1..=3);
    plan::clients((2, 3), asks, Just(Ending::Finish))
        .prop_map(|clients| Plan { audit: Audit::Bytes, ..Plan::of(clients) })
}
