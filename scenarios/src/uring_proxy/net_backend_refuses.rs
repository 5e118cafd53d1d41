//! The server refuses the proxy's connection, leaves it unanswered, or resets it: the proxy closes the client's
//! connection.
//!
//! Upstream: follows from default_error, which ends the connection's thread without closing anything; not reported.
//! Size: 1 client with 1 connection and up to 12 requests; one fault of the proxy's connection, before the first reply.
use crate::prelude::*;
use lastref::net::{End, Fault};
use models::uring_proxy::{Ending, NetPlan, Options, Variant, plan, run_on_network};

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "The proxy cannot connect to the server, or loses it, and closes the client's connection";
    Scenario::on_network("net_backend_refuses", about, "axboe/liburing proxy.c default_error", plans, run_on_network)
        .clean(Variant::Fixed)
        .violates(Variant::ErrorEndsThread, "a client gets its replies or sees the end of its connection")
        .sometimes(&["an error stops a connection", "a connection ends with requests unanswered"])
}

fn plans() -> impl Strategy<Value = NetPlan> {
    let kinds = prop_oneof![Just(FaultKind::Refuse), Just(FaultKind::Hang), Just(FaultKind::Reset)];
    let from = prop_oneof![Just(End::Client), Just(End::Server)];
    // The client's own connection is the first that is tried; the fault comes before the first reply is complete.
    let fault = (kinds, from, 0..=12_u64);
    let fault =
        fault.prop_map(|(kind, from, after_bytes)| Fault { connection: 1, from, after_bytes, after_ms: 0, kind });
    let clients = plan::visits((1, 1), 6, 8, Just(Ending::HalfClose));
    (clients, fault, any::<bool>()).prop_map(|(mut clients, fault, recv_mshot)| {
        clients.iter_mut().for_each(|visits| visits.truncate(1));
        NetPlan {
            weather: Weather { faults: vec![fault], ..Weather::SHORT },
            ..NetPlan::of(Options { recv_mshot, ..Options::NETWORK }, clients)
        }
    })
}
