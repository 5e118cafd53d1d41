//! The fate of a packet that leaves its host: the steps that the wire performs.

use kernel::record::{End, Phase};
use smallvec::{SmallVec, smallvec};
use turmoil_net::Packet;

use super::fault::Fault;
use super::link::Link;
use crate::session::with_log;
use crate::time::Instant;

/// The result of passing a packet, or of a fault between two packets.
#[derive(Debug, Default)]
pub(super) struct PacketSteps {
    /// The wire's steps, in order: for most packets only one.
    pub(super) steps: SmallVec<[Step; 1]>,
    /// The text of its row in a table, if it has one. The text is empty if the run is not recorded: whether a packet
    /// has a row must not depend on recording.
    pub(super) told: Option<String>,
    is_recorded: bool,
}

/// One step of the wire.
#[derive(Debug)]
pub(super) enum Step {
    /// The packet is sent.
    Send(Packet),
    /// A fault has hit the connection.
    Hit(Hit),
    /// The connection's later packets wait until that time.
    Stall(Instant),
    /// The connection's link is broken for this many milliseconds.
    Break(Link, u32),
    /// The server's host crashes, and restarts after this many milliseconds.
    Crash(u32),
    /// The socket of this end shuts down its write side.
    Shut(End),
    /// The fault happens at that time.
    Later(Instant, Fault),
}

/// A fault that has hit a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) fault: &'static str,
    pub(super) phase: Phase,
}

impl PacketSteps {
    /// An empty list of steps.
    pub(super) fn new() -> PacketSteps {
        PacketSteps { is_recorded: with_log(|log| log.is_recording()).unwrap_or(false), ..PacketSteps::default() }
    }

    /// The packet is sent, without a row in a table.
    pub(super) fn of(packet: Packet) -> PacketSteps {
        PacketSteps { steps: smallvec![Step::Send(packet)], ..PacketSteps::default() }
    }

    /// Adds to the row in a table.
    pub(super) fn say(&mut self, text: impl FnOnce() -> String) {
        let told = self.told.get_or_insert_default();
        if self.is_recorded {
            let text = text();
            told.push_str(if told.is_empty() { "" } else { ", " });
            told.push_str(&text);
        }
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    pub(super) fn send(&mut self, packets: impl IntoIterator<Item = Packet>) {
        self.steps.extend(packets.into_iter().map(Step::Send));
    }

    pub(super) fn hit(&mut self, fault: &'static str, phase: Phase) {
        self.steps.push(Step::Hit(Hit { fault, phase }));
    }
}
