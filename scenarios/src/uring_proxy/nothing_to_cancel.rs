//! A cancellation that finds no request, and a receive of 0 bytes without a buffer: both are valid.
//!
//! Upstream: io_uring_prep_cancel(3), -ENOENT, or a count of 0 with IORING_ASYNC_CANCEL_ALL, which proxy.c does not
//! check; and __handle_recv, for which a completion without IORING_CQE_F_BUFFER is the peer's end if its result is 0,
//! and an error otherwise. A negative control. Size: up to 3 clients with up to 3 requests each, or none; small pools
//! and the reported one, every receive mode.
use crate::prelude::*;
use models::uring_proxy::{Options, Plan, Step, Variant, run};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A connection is stopped after its receives have ended";
    Scenario::new("nothing_to_cancel", about, "io_uring_prep_cancel(3)", plans, run)
        .clean(Variant::Fixed)
        .sometimes(&["there is nothing to cancel", "a receive ends with no bytes and no buffer"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let client = (0..=3_u32).prop_map(|requests| match requests {
        0 => vec![Step::Fin],
        _ => vec![Step::Ping(requests), Step::Await],
    });
    let clients = prop::collection::vec(client, 1..=3);
    let nr_bufs = prop_oneof![Just(1_u32), Just(8), Just(1024)];
    (clients, nr_bufs, any::<bool>(), any::<bool>()).prop_map(|(clients, nr_bufs, recv_mshot, rcv_bundle)| Plan {
        options: Options { nr_bufs, recv_mshot, rcv_bundle, ..Options::REPORTED },
        clients,
        ..Plan::smallest()
    })
}
