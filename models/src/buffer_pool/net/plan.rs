//! What a network does to an engine and its clients in one run, as plain data.

use lastref::net::{Config, Fault, FaultKind};
use lastref::plan::{BadPlan, List, Part, field};
use proptest::collection::vec;
use proptest::prelude::Strategy;
use serde::{Deserialize, Serialize};

use crate::buffer_pool::plan::Plan;

/// One run on a network: what clients, handlers and the world do, and what happens to connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetPlan {
    /// The engine and its clients. Their threads, segments and endings mean what they mean without a network, but that
    /// a client that resets drops its socket with whatever it has not read.
    pub base: Plan,
    /// The latency of each link, in milliseconds: the least and the most.
    pub latency_ms: (u32, u32),
    /// Bytes that a socket takes before it makes wait.
    pub socket_bytes: u32,
    /// Connections that the server's host takes before its listener has accepted them.
    pub backlog: u32,
    /// How long a client does nothing before it sends, each time.
    pub idle_ms: u64,
    /// What goes wrong with connections.
    pub faults: Vec<Fault>,
    /// What goes wrong with hosts of clients, in this order; before the faults of `base`.
    pub events: Vec<Event>,
}

/// What happens to the host of a client. A number beyond the last client's begins again with the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Nothing, for so many milliseconds.
    Pause(u64),
    /// The host is gone with its client, without a word.
    Crash(u32),
    /// A host that has crashed is there again, and its client begins anew.
    Restart(u32),
}

/// As many clients as there are hosts for them.
const CLIENTS_MAX: usize = super::bench::CLIENTS.len();

lastref::bounds!(NetPlan {
    base: Base,
    latency_ms: Config::LATENCY_MS,
    socket_bytes: Config::SOCKET_BYTES,
    backlog: Config::BACKLOG,
    idle_ms: 0..=10_000,
    faults: List(0..=8, Part),
    events: List(0..=16, Part),
});

/// The bounds of a plan whose clients have hosts of their own.
struct Base;

impl lastref::plan::Bound<Plan> for Base {
    fn check(&self, base: &Plan) -> Result<(), BadPlan> {
        lastref::plan::Plan::check(base)?;
        field("clients", &base.clients, &List(1..=CLIENTS_MAX, Part))
    }
}

impl lastref::plan::Plan for Event {
    fn check(&self) -> Result<(), BadPlan> {
        match self {
            Event::Pause(ms) => field("Pause", ms, &(0..=1_000)),
            Event::Crash(client) => field("Crash", client, &(0..=7)),
            Event::Restart(client) => field("Restart", client, &(0..=7)),
        }
    }
}

/// Milliseconds of silence, in all, in which no end gives a connection up.
const CALM_MS: u32 = 60;

impl NetPlan {
    /// This plan on a network without faults.
    pub fn of(base: Plan) -> NetPlan {
        NetPlan {
            base,
            latency_ms: (1, 3),
            socket_bytes: 4096,
            backlog: 128,
            idle_ms: 0,
            faults: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Whether the network costs nobody an answer: all that it does is to be silent, for less than anybody waits.
    pub(super) fn is_calm(&self) -> bool {
        let silence = self.faults.iter().try_fold(0_u32, |silence, fault| match fault.kind {
            FaultKind::Stall { ms } | FaultKind::Partition { ms } | FaultKind::Hold { ms } => silence.checked_add(ms),
            FaultKind::Reset | FaultKind::HalfClose | FaultKind::Blackhole | FaultKind::Refuse | FaultKind::Hang => {
                None
            }
        });
        let is_up = self.events.iter().all(|event| matches!(event, Event::Pause(_)));
        silence.is_some_and(|ms| ms <= CALM_MS) && is_up && self.backlog as usize >= self.base.clients.len()
    }
}

/// Up to `most` faults of these kinds, at either end, of one of the first connections, at any byte up to `bytes`; often
/// at the first.
pub fn faults(kinds: impl Into<Vec<FaultKind>>, most: usize, bytes: u64) -> impl Strategy<Value = Vec<Fault>> {
    vec(Fault::any(6, bytes + 1, &kinds.into()), 0..=most)
}
