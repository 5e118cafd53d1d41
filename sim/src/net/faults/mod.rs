//! The faults of connections, one file each. A fault is a file with its [`FaultRule`], and a line of the kernel's list
//! of kinds.

use kernel::record::FaultKind;

use super::connection::Connection;
use super::fault::Fault;
use super::packet_steps::PacketSteps;
use crate::time::{Duration, Instant};

/// The rule of one kind of fault.
pub(super) trait FaultRule {
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
    /// The connection: its attempt, or between two bytes (`FaultKind::is_of_attempt`).
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
    pub(super) passed: &'a mut PacketSteps,
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

macro_rules! rules {
    ($(
        $(#[doc = $doc:literal])*
        $file:ident => $name:ident $( { $ms:ident } )? $( [ of_attempt = $of_attempt:literal ] )?, $shown:literal;
    )*) => {
        $( mod $file; )*

        impl Ruled for FaultKind {
            fn rule(&self) -> &'static dyn FaultRule {
                match self {
                    $( FaultKind::$name { .. } => &$file::Rule, )*
                }
            }
        }
    };
}
kernel::fault_kinds!(rules);

/// A kind of fault, with its rule.
pub(super) trait Ruled {
    fn rule(&self) -> &'static dyn FaultRule;

    /// Whether the socket of an end carries it out.
    fn is_of_socket(&self) -> bool {
        self.rule().strikes() == Strikes::Socket
    }
}
