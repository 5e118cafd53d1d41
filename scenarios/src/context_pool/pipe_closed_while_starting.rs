//! A pipe is closed while it is being started: the reaper waits for the thread that starts it, and the pipe is on one
//! list at a time.
//!
//! Upstream: nanomsg/nng commit 979d88e8 (a pipe rejected while it starts). The variant follows from req0_pipe_start of
//! v1.10.1, which does not check whether the pipe was closed, and still holds in the main branch; not reported.
//! Size: up to 3 connections made in a row, another thread that closes the socket's pipes as often; a scripted peer, 1
//! worker, the reaper. Small: one of each.
use crate::prelude::*;
use models::context_pool::{Nng, ReqOptions, Socket, Threads, Variant, echo};

/// The number of connections, made one after the other, and of times that all pipes are closed meanwhile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    connections: u32,
    closes: u32,
}
bounds!(Plan { connections: 1..=8, closes: 1..=8 });

/// Declares the experiment.
pub fn scenario() -> Scenario {
    let about = "A pipe is closed while it is being started";
    Scenario::new("pipe_closed_while_starting", about, "nanomsg/nng@979d88e8", plan, run)
        .clean(Variant::Fixed)
        .violates(Variant::PipeStartedAfterClose, "a req0_pipe is on one list of its req0_sock")
        .loom_finds(&[Variant::PipeStartedAfterClose])
        .sometimes(&["the reaper waits for a pipe that is being started"])
        .small(Plan { connections: 1, closes: 1 })
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=3_u32, 1..=3_u32).prop_map(|(connections, closes)| Plan { connections, closes })
}

fn run(variant: Variant, plan: &Plan) {
    let nng = Nng::init(variant, Threads { workers: 1, timers: false, reaper: true });
    let req = nng.req0_open(ReqOptions::ONCE);
    let (closed, closes) = (std::sync::Arc::clone(&req), plan.closes);
    let closer = thread::spawn(move || (0..closes).for_each(|_| closed.close_pipes()));
    for _ in 0..plan.connections {
        let link = Socket::connect_script(&req, echo());
        always("a connection of an open socket is made", link.is_ok());
    }
    closer.join();
    let _ = req.close();
    nng.fini();
}
