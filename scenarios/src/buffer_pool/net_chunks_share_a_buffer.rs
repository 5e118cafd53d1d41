//! A chunk that arrives over the network is appended to the buffer of the chunk before it, not after old octets.
//!
//! Upstream: lesismal/nbio@b836026, which appended to a buffer that it had grown to its capacity; v1.5.4 to v1.5.7.
//! Size: 3 clients with up to 3 chunked requests each; at most one fault, of any kind; the ledger does not follow the
//! pools; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Audit, Ending, NetPlan, Plan, PlannedRequest, Step, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A client on the network receives a buffer's old octets";
    Scenario::on_network("net_chunks_share_a_buffer", about, "lesismal/nbio@b836026", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::AppendGrowsToCap, "a payload reaches only the request it is tagged for")
        .sometimes(&["a chunk is appended to the buffer of another chunk", "a body is echoed to its end"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let chunks = prop::collection::vec(1..=3_u32, 1..=4);
    let ask = chunks.prop_map(|chunks| PlannedRequest::chunked(chunks, vec![Step::ReadAll]));
    let clients = plan::clients((3, 3), prop::collection::vec(ask, 1..=3), Just(Ending::Finish));
    (clients, faults(6, &FaultKind::OF_CONNECTIONS, 0..=1, 300)).prop_map(|(clients, faults)| NetPlan {
        weather: Weather { faults, ..Weather::FAIR },
        ..NetPlan::of(Plan { audit: Audit::Answers, ..Plan::of(clients) })
    })
}
