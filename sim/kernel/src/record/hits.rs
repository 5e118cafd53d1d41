//! The faults that hit connections, by phase: of one run, and counted over many.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Phase {
    /// The client has sent SYN, and has not acknowledged the SYN-ACK.
    Connecting,
    /// The connection is established; both ends have not completed the handshake. A protocol may have no handshake.
    Handshake,
    /// Every request is answered.
    Idle,
    /// Part of a request has been sent, and no part of its response.
    Request,
    /// Part of a response has been sent, and the response has not arrived completely.
    Response,
    /// One end has sent FIN.
    Closing,
    /// Both ends have sent FIN, or the connection was reset or is in a blackhole.
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

/// For each fault, by its name, and each phase: the number of runs in which the fault hit a connection in that phase.
pub type HitCounts = BTreeMap<String, BTreeMap<Phase, u64>>;

/// The faults that hit connections in one run.
#[derive(Debug, Default)]
pub struct Hits(BTreeSet<(&'static str, Phase)>);

impl Hits {
    /// Records that the fault has hit a connection in this phase.
    pub fn hit(&mut self, fault: &'static str, phase: Phase) {
        self.0.insert((fault, phase));
    }

    /// Adds this run to the counts.
    pub fn count(&self, counts: &mut HitCounts) {
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

/// Adds the counts of other runs.
pub fn add_hits(sum: &mut HitCounts, more: HitCounts) {
    for (fault, phases) in more {
        let counts = sum.entry(fault).or_default();
        phases.into_iter().for_each(|(phase, runs)| *counts.entry(phase).or_insert(0) += runs);
    }
}
