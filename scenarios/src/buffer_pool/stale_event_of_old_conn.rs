//! A late event of a closed connection does not close the next connection with the same descriptor.
//!
//! Upstream: follows from poller_epoll.go readWriteLoop, which looks up the descriptor only when it handles the event;
//! not reported.
//! Size: 1 or 2 clients with 8 requests, which keep the poller busy; up to 3 clients that leave early, and 3 that
//! behave well, each with 3 connections; 2 workers.
use crate::prelude::*;
use models::buffer_pool::{Client, Ending, Plan, PlannedRequest, Step, Variant, run};

/// Number of reads in a slow handler, during which its client leaves.
const SLOW: usize = 6;

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A late event of a closed connection finds its descriptor reused";
    Scenario::new("stale_event_of_old_conn", about, "lesismal/nbio@v1.5.12", plans, run)
        .clean(Variant::Fixed)
        .violates(Variant::StaleEventClosesNewConn, "a well-behaved client gets its answers")
        .sometimes(&["an event refers to a closed connection", "a request is answered"])
}

fn plans() -> impl Strategy<Value = Plan> {
    let ask = |close: bool| PlannedRequest { close, ..PlannedRequest::of(0, vec![]) };
    let busy = Client::of(vec![ask(false); 8]);
    let closed = Client {
        ending: Ending::Abandon,
        visits: 3,
        ..Client::of(vec![PlannedRequest { steps: vec![Step::Read(1); SLOW], ..ask(true) }])
    };
    let kind = Client { visits: 3, ..Client::of(vec![ask(false)]) };
    (1..=2_usize, 1..=3_usize, 1..=3_usize).prop_map(move |(busies, closeds, kinds)| {
        let clients = [vec![busy.clone(); busies], vec![closed.clone(); closeds], vec![kind.clone(); kinds]];
        Plan::of(clients.concat())
    })
}
