//! A pooled reader that a late `Close` has closed is open again when the next client's request takes it from the pool.
//!
//! Upstream: lesismal/nbio v1.5.12 to v1.6.9, whose NewBodyReader keeps `closed`; the reset is 00a897c
//! (TestBodyReaderPooledReuse).
//! Size: 3 clients in turn, with a goroutine left behind by each request; up to 1 stall or FIN; the ledger follows the
//! buffers and not the readers.
use crate::prelude::*;
use models::buffer_pool::{Audit, Client, NetPlan, Plan, PlannedRequest, Step, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A pooled body reader is closed late and used by the next client on the network";
    Scenario::on_network("net_pooled_reader", about, "lesismal/nbio@00a897c", plans, run_on_network)
        .clean(Variant::Fixed)
        .clean(Variant::LateCloseRetainedBody)
        .violates(Variant::GetWithoutResetClosed, "mempool buffer is released by quiescence")
        .sometimes(&["a body is echoed to its end"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    // The readers of those versions free what is read; only a body that is not read to its end leaks.
    let steps = vec![Step::Read(1), Step::CloseLate];
    let client = plan::any_framing(6)
        .prop_map(move |body| Client::of(vec![PlannedRequest { body, close: false, steps: steps.clone() }]));
    let faults = faults(6, &[FaultKind::Stall { ms: 30 }, FaultKind::HalfClose], 0..=1, 200);
    (prop::collection::vec(client, 3..=3), faults).prop_map(|(clients, faults)| NetPlan {
        weather: Weather { faults, ..Weather::FAIR },
        ..NetPlan::of(Plan { audit: Audit::Buffers, in_turn: true, ..Plan::of(clients) })
    })
}
