//! In which phase of its life a connection is, as the wire sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It was tried, and the client has not said that it knows of the answer.
    Connecting,
    /// It is made; both ends have not said what their protocol begins with. A protocol may have nothing of that kind.
    Handshake,
    /// Nothing is asked that is not answered.
    Idle,
    /// A request has begun to leave, and no part of its answer has.
    Request,
    /// An answer has begun to leave, and has not arrived as a whole.
    Response,
    /// One end has said FIN.
    Closing,
    /// Both ends have, or it was reset, or cut.
    Closed,
}

impl Phase {
    /// Every phase, in the order of a connection's life.
    pub const ALL: [Phase; 7] = [
        Phase::Connecting,
        Phase::Handshake,
        Phase::Idle,
        Phase::Request,
        Phase::Response,
        Phase::Closing,
        Phase::Closed,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Connecting => "connecting",
            Phase::Handshake => "handshake",
            Phase::Idle => "idle",
            Phase::Request => "request in flight",
            Phase::Response => "response in flight",
            Phase::Closing => "closing",
            Phase::Closed => "closed",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// In how many runs each fault, by its name, has hit a connection in each phase.
pub type HitCounts = BTreeMap<String, BTreeMap<Phase, u64>>;

/// The faults that have hit in one run.
#[derive(Debug, Default)]
pub(crate) struct Hits(BTreeSet<(&'static str, Phase)>);

impl Hits {
    pub(super) fn hit(&mut self, fault: &'static str, phase: Phase) {
        self.0.insert((fault, phase));
    }

    /// Counts this run among others.
    pub(crate) fn count(&self, counts: &mut HitCounts) {
        for (fault, phase) in &self.0 {
            if !counts.contains_key(*fault) {
                counts.insert((*fault).to_owned(), BTreeMap::new());
            }
            if let Some(phases) = counts.get_mut(*fault) {
                *phases.entry(*phase).or_insert(0) += 1;
            }
        }
    }
}
