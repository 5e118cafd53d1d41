//! The faults of connections, one file each. A fault is a file with its [`FaultRule`], and a line of the list below.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::connection::Connection;
use super::fault::Fault;
use super::passed::Passed;
use crate::time::{Duration, Instant};

/// The rule of one kind of fault.
pub(super) trait FaultRule {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// The target of the fault.
    fn strikes(&self) -> Strikes {
        Strikes::Connection
    }

    /// Whether no packet passes after it.
    fn ends_traffic(&self) -> bool {
        false
    }

    /// Carries the fault out.
    fn happen(&self, strike: &mut Strike<'_>);
}

/// The target of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strikes {
    /// The connection attempt: no bytes are counted.
    Attempt,
    /// The connection between two bytes.
    Connection,
    /// The socket of the end whose bytes are counted, which first sends its remaining data. The fault is counted and
    /// reported when its packet passes.
    Socket,
}

/// A fault that happens now.
pub(super) struct Strike<'a> {
    pub(super) connection: &'a mut Connection,
    pub(super) fault: Fault,
    pub(super) now: Instant,
    /// Receives the steps that the wire performs.
    pub(super) passed: &'a mut Passed,
}

impl Strike<'_> {
    /// The time at which a lasting fault ends.
    pub(super) fn until(&self) -> Instant {
        self.now + Duration::from_millis(u64::from(self.ms()))
    }

    /// Its duration in milliseconds; 0 for a fault that does not last.
    pub(super) fn ms(&self) -> u32 {
        self.fault.kind.ms().unwrap_or(0)
    }
}

/// The duration that [`FaultKind::ALL`] shows, in milliseconds.
const SHOWN_MS: u32 = 50;

macro_rules! faults {
    ($( $(#[doc = $doc:literal])* $file:ident => $name:ident $( { $ms:ident } )? ),* $(,)?) => {
        $( mod $file; )*

        /// The kind of a fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum FaultKind {
            $(
                $(#[doc = $doc])*
                $name $( {
                    /// Duration in milliseconds.
                    $ms: u32,
                } )?,
            )*
        }

        impl FaultKind {
            /// Every kind.
            pub const ALL: [FaultKind; [$( stringify!($file) ),*].len()] =
                [$( FaultKind::$name $( { $ms: SHOWN_MS } )? ),*];

            /// The kind's name in JSON.
            pub(super) fn variant(self) -> &'static str {
                match self {
                    $( FaultKind::$name { .. } => stringify!($name), )*
                }
            }

            /// Its duration, if it lasts.
            pub(super) fn ms(self) -> Option<u32> {
                match self {
                    $( $( FaultKind::$name { $ms } => Some($ms), )? )*
                    _ => None,
                }
            }

            pub(super) fn rule(self) -> &'static dyn FaultRule {
                match self {
                    $( FaultKind::$name { .. } => &$file::Rule, )*
                }
            }
        }
    };
}

faults! {
    /// RST to both ends: each fails with `ConnectionReset` after the link's latency. Data sent before it arrives.
    reset => Reset,
    /// The end whose bytes are counted shuts its write side down: FIN, and its later writes fail with `BrokenPipe`.
    half_close => HalfClose,
    /// All packets are lost from here on, in both directions and without notice: writes fail when they have been
    /// unacknowledged for too long.
    blackhole => Blackhole,
    /// The connection delivers no packet, in either direction, for this long; then it delivers all.
    stall => Stall { ms },
    /// The link between the two hosts loses the packets of all its connections for this long.
    partition => Partition { ms },
    /// The link between the two hosts holds the packets of all its connections for this long.
    hold => Hold { ms },
    /// RST answers the attempt: `ConnectionRefused`.
    refuse => Refuse,
    /// The attempt gets no answer: it fails with `TimedOut` in the end.
    hang => Hang,
}

impl FaultKind {
    /// The kind's name in reports.
    pub fn name(self) -> &'static str {
        self.rule().name()
    }

    /// Whether it applies to the attempt, so that no bytes are counted.
    pub(super) fn is_of_attempt(self) -> bool {
        self.rule().strikes() == Strikes::Attempt
    }

    /// Whether the socket of an end carries it out.
    pub(super) fn is_of_socket(self) -> bool {
        self.rule().strikes() == Strikes::Socket
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ms() {
            Some(ms) => write!(f, "{} for {ms} ms", self.name()),
            None => f.pad(self.name()),
        }
    }
}
