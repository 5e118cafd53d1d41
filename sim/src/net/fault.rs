//! Connection faults as plain data: part of a plan, printed, saved and shrunk with it.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::select;
use serde::{Deserialize, Serialize};

use super::link::Link;
use crate::plan::{BadPlan, Plan, field};

/// One fault of one connection. It happens once, and no fault happens after the body of [`super::simulate`]. `Refuse`
/// and `Hang` apply to the attempt, and ignore the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The connection's number: attempts are counted from 0.
    pub connection: u32,
    /// The end whose bytes are counted.
    pub from: End,
    /// It happens when this many of them have left the host, and before the next one; with 0, as soon as the
    /// connection is established. Faults at one byte happen in the order of the plan.
    pub after_bytes: u64,
    /// An additional delay in milliseconds.
    #[serde(default)]
    pub after_ms: u32,
    /// The kind of fault.
    pub kind: FaultKind,
}

/// A day is long for a connection, and short for the run's clock.
const FAULT_MS_MAX: u32 = 24 * 60 * 60 * 1_000;

impl Plan for Fault {
    fn check(&self) -> Result<(), BadPlan> {
        // A fault of a connection or a byte that never occurs has no effect, regardless of its number.
        let Fault { connection: _, from: _, after_bytes: _, after_ms, kind } = self;
        field("after_ms", after_ms, &(0..=FAULT_MS_MAX))?;
        match kind {
            FaultKind::Stall { ms } | FaultKind::Partition { ms } | FaultKind::Hold { ms } => {
                let checked = field("ms", ms, &(0..=FAULT_MS_MAX)).map_err(|bad| bad.inside(kind.variant()));
                checked.map_err(|bad| bad.inside("kind"))
            }
            FaultKind::Reset | FaultKind::Finish | FaultKind::Cut | FaultKind::Refuse | FaultKind::Hang => Ok(()),
        }
    }
}

impl Fault {
    /// Faults of the first `connections`, of these kinds, at one of the first `bytes` of either end. Byte 0 and the
    /// bytes of a handshake are more frequent than others; some faults are delayed until every request is answered.
    ///
    /// # Panics
    /// If one of the three is empty or 0.
    pub fn any(connections: u32, bytes: u64, kinds: &[FaultKind]) -> impl Strategy<Value = Fault> + use<> {
        let from = prop_oneof![Just(End::Client), Just(End::Server)];
        let after_bytes = prop_oneof![1 => Just(0), 2 => 0..bytes.min(64), 4 => 0..bytes];
        let after_ms = prop_oneof![4 => Just(0), 1 => 1..20_u32, 1 => 20..500_u32];
        (0..connections, from, after_bytes, after_ms, select(kinds.to_vec())).prop_map(
            |(connection, from, after_bytes, after_ms, kind)| Fault { connection, from, after_bytes, after_ms, kind },
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { after_bytes, after_ms, kind, .. } = self;
        match after_ms {
            _ if kind.is_of_attempt() => write!(f, "{kind}"),
            0 => write!(f, "{kind} after {after_bytes} bytes"),
            ms => write!(f, "{kind} {ms} ms after {after_bytes} bytes"),
        }
    }
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum End {
    /// The end that connected.
    Client,
    /// The end that accepted.
    Server,
}

/// The kind of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FaultKind {
    /// RST to both ends: each fails with `ConnectionReset` after the link's latency. Data sent before it arrives.
    Reset,
    /// The end whose bytes are counted shuts its write side down: FIN, and its later writes fail with `BrokenPipe`.
    Finish,
    /// A blackhole in both directions, without notice: writes fail when they have been unacknowledged for too
    /// long.
    Cut,
    /// The connection delivers no packet, in either direction, for this many milliseconds; then it delivers all.
    Stall {
        /// Duration in milliseconds.
        ms: u32,
    },
    /// The link between the two hosts is cut for this many milliseconds: packets of all its connections are lost.
    Partition {
        /// Duration in milliseconds.
        ms: u32,
    },
    /// The link between the two hosts holds the packets of all its connections for this many milliseconds.
    Hold {
        /// Duration in milliseconds.
        ms: u32,
    },
    /// RST answers the attempt: `ConnectionRefused`.
    Refuse,
    /// The attempt gets no answer: it fails with `TimedOut` in the end.
    Hang,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: [FaultKind; 8] = [
        FaultKind::Reset,
        FaultKind::Finish,
        FaultKind::Cut,
        FaultKind::Stall { ms: 50 },
        FaultKind::Partition { ms: 50 },
        FaultKind::Hold { ms: 50 },
        FaultKind::Refuse,
        FaultKind::Hang,
    ];
}

impl FaultKind {
    /// The kind's name in one word.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Reset => "reset",
            FaultKind::Finish => "finish",
            FaultKind::Cut => "cut",
            FaultKind::Stall { .. } => "stall",
            FaultKind::Partition { .. } => Link::Partitioned.fault(),
            FaultKind::Hold { .. } => Link::Held.fault(),
            FaultKind::Refuse => "refuse",
            FaultKind::Hang => "hang",
        }
    }

    /// The kind's name in JSON.
    fn variant(self) -> &'static str {
        match self {
            FaultKind::Stall { .. } => "Stall",
            FaultKind::Partition { .. } => "Partition",
            FaultKind::Hold { .. } => "Hold",
            other => other.name(),
        }
    }

    /// Whether no packet passes after it.
    pub(super) fn ends_traffic(self) -> bool {
        matches!(self, FaultKind::Reset | FaultKind::Cut)
    }

    /// Whether it applies to the attempt, so that no bytes are counted.
    pub(super) fn is_of_attempt(self) -> bool {
        matches!(self, FaultKind::Refuse | FaultKind::Hang)
    }
}

impl End {
    pub(super) fn index(self) -> usize {
        usize::from(self == End::Server)
    }

    /// The opposite end.
    #[must_use]
    pub fn other(self) -> End {
        match self {
            End::Client => End::Server,
            End::Server => End::Client,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::Stall { ms } | FaultKind::Partition { ms } | FaultKind::Hold { ms } => {
                write!(f, "{} for {ms} ms", self.name())
            }
            kind => f.pad(kind.name()),
        }
    }
}
