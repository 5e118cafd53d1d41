//! A pooled reader that a late `Close` has closed is open again when `NewBodyReader` takes it from the pool.
//!
//! Upstream: lesismal/nbio v1.5.12 to v1.6.9, whose NewBodyReader keeps `closed`; the reset is 00a897c
//! (TestBodyReaderPooledReuse).
//! Size: 2 or 3 clients in turn, with a goroutine left behind by each request; the ledger follows the buffers and not
//! the readers.
use crate::prelude::*;
use models::buffer_pool::{Audit, Client, Plan, PlannedRequest, Step, Variant, plan, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A pooled body reader is closed late and used again";
    Scenario::new("late_close_of_pooled_reader", about, "lesismal/nbio@00a897c", plans, run)
        .clean(Variant::Fixed)
        // With the reset, a late close of a reader that is in its pool does no harm.
        .clean(Variant::LateCloseRetainedBody)
        .violates(Variant::GetWithoutResetClosed, "mempool buffer is released by quiescence")
        .sometimes(&["a body is echoed to its end"])
}

fn plans() -> impl Strategy<Value = Plan> {
    // One connection each: the goroutine that the first connection's handler leaves behind could affect a second one.
    let client = plan::any_framing(6).prop_map(|body| {
        Client::of(vec![PlannedRequest { body, close: false, steps: vec![Step::Read(1), Step::CloseLate] }])
    });
    prop::collection::vec(client, 2..=3).prop_map(|clients| Plan {
        audit: Audit::Buffers,
        in_turn: true,
        ..Plan::of(clients)
    })
}
