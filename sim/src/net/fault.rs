//! Connection faults as plain data: part of a plan, printed, saved and shrunk with it.

use std::fmt;

use kernel::record::{End, FaultKind};
use proptest::prelude::*;
use proptest::sample::select;
use serde::{Deserialize, Serialize};

use crate::plan::{BadPlan, Plan, field};

/// One fault of one connection. It happens once, and no fault happens after the body of [`super::simulate`]. `Refuse`
/// and `Hang` apply to the attempt, and ignore the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The connection's number: attempts are counted from 0.
    pub connection: u32,
    /// The end whose bytes are counted.
    pub from: End,
    /// The number of bytes of that end that leave its host before the fault; with 0, it happens as soon as the
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
        let Some(ms) = kind.ms() else { return Ok(()) };
        let checked = field("ms", &ms, &(0..=FAULT_MS_MAX)).map_err(|bad| bad.inside(kind.variant()));
        checked.map_err(|bad| bad.inside("kind"))
    }
}

impl Fault {
    /// Faults of the first `connections`, of these kinds, at one of the first `bytes` of either end. Byte 0 and the
    /// bytes of a handshake are more frequent than others; some faults are delayed, so that they can hit a connection
    /// on which every request is answered.
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
