//! What becomes of a packet that leaves its host: what the wire does then, step by step.

use turmoil_net::Packet;

use super::dialogue::Phase;
use super::fault::{End, Fault};
use super::link::Link;
use crate::run;
use crate::time::Instant;

/// What becomes of a packet, or comes of a fault between two.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// What the wire does, in order.
    pub(super) steps: Vec<Step>,
    /// The row of it in a table, if there is anything to say; an empty text if the run is not recorded: whether there
    /// is a row must not depend on that.
    pub(super) told: Option<String>,
    is_recorded: bool,
}

/// One thing that the wire does.
#[derive(Debug)]
pub(super) enum Step {
    /// The packet goes on its way.
    Send(Packet),
    /// A fault has hit the connection.
    Hit(Hit),
    /// The packets of the connection that follow wait until that moment.
    Stall(Instant),
    /// The link of the connection is broken for so many milliseconds.
    Break(Link, u32),
    /// The socket of this end shuts its write side.
    Shut(End),
    /// The fault happens at that moment.
    Later(Instant, Fault),
}

/// A fault that has hit a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) fault: &'static str,
    pub(super) phase: Phase,
}

impl Passed {
    /// Nothing yet.
    pub(super) fn new() -> Passed {
        Passed { is_recorded: run::with(|run| run.trace.recording()).unwrap_or(false), ..Passed::default() }
    }

    /// The packet goes on its way, and a table says nothing of it.
    pub(super) fn of(packet: Packet) -> Passed {
        Passed { steps: vec![Step::Send(packet)], ..Passed::default() }
    }

    /// Adds to what a table says.
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
