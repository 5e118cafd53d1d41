//! The end of one connection is not the end of the next one with its descriptor.
//!
//! Upstream: follows from poller_epoll.go readWriteLoop, which looks a descriptor up when it comes to its event; not
//! reported.
//! Size: 1 or 2 clients with 8 requests, which keep the poller busy; up to 3 that leave and are closed, and 3 that are
//! kind, each with 3 connections; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Ask, Client, Ending, Plan, Step, Variant, run};

/// Reads that a handler makes before it is done, while its client leaves.
const SLOW: usize = 6;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "An event of a closed connection meets the next one";
    Scenario::new("stale_event_of_old_conn", about, "lesismal/nbio@v1.5.12", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::StaleEventClosesNewConn, "a client that behaves gets its answers")
        .sometimes(&["an event is of a connection that is gone", "a request is answered"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let ask = |close: bool| Ask { close, ..Ask::of(0, vec![]) };
    let busy = Client::of(vec![ask(false); 8]);
    let closed = Client {
        ending: Ending::Abandon,
        visits: 3,
        ..Client::of(vec![Ask { steps: vec![Step::Read(1); SLOW], ..ask(true) }])
    };
    let kind = Client { visits: 3, ..Client::of(vec![ask(false)]) };
    (1..=2_usize, 1..=3_usize, 1..=3_usize).prop_map(move |(busies, closeds, kinds)| {
        let clients = [vec![busy.clone(); busies], vec![closed.clone(); closeds], vec![kind.clone(); kinds]];
        Plan::of(clients.concat())
    })
}
