//! A connection breaks while a flush writes what was cached for it: each buffer of the write list is freed once.
//!
//! Upstream: conn_unix.go flush and closeWithErrorWithoutLock of v1.5.12.
//! Size: up to 2 clients with 2 to 4 requests, most of them gone after 1 to 30 octets received; one write in 12 may
//! fail.
use crate::prelude::*;
use models::buffer_pool::{Client, Ending, Plan, PlannedRequest, Step, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A connection breaks between two writes of one flush";
    Scenario::new("reset_while_flushing", about, "lesismal/nbio conn_unix.go v1.5.12", plans, run)
        .clean(Variant::Fixed)
        .sometimes(&[
            "a flush fails after it has written a buffer",
            "a connection closes with something left to write",
            "a response is written in part",
            "a body is echoed to its end",
        ])
}

fn plans() -> impl Strategy<Value = Plan> {
    let ending = prop_oneof![1 => Just(Ending::Finish), 4 => (1..30_u32).prop_map(Ending::ResetReceived)];
    // Two answers of five octets and their heads do not fit into one buffer of the write list.
    let asks = (2..=4_usize).prop_map(|count| vec![PlannedRequest::of(5, vec![Step::ReadAll]); count]);
    let client = (asks, ending).prop_map(|(asks, ending)| Client { ending, ..Client::of(asks) });
    let failing_write_in = prop_oneof![Just(0_u32), Just(12)];
    (prop::collection::vec(client, 1..=2), 2..=12_u32, failing_write_in, any::<bool>()).prop_map(
        |(clients, window, failing_write_in, short)| Plan { window, failing_write_in, short, ..Plan::of(clients) },
    )
}
