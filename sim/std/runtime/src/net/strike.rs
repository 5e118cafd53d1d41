//! Faults as they happen: at a connection attempt, or at a byte of one end.

use lastref_kernel::record::{End, FaultKind};

use super::stream::Segment;
use super::{Network, Struck};
use crate::bytes::Bytes;
use lastref_kernel::faults::Fault;

/// Delay after a partition before data is sent again: Linux's minimum retransmission timeout.
const RETRANSMITTED_NS: u64 = 200_000_000;

impl Network {
    /// The fault of this attempt, if there is one: `Refuse` or `Hang`.
    pub(super) fn fault_of_attempt(&mut self, connection: usize, now_ns: u64) -> Option<FaultKind> {
        let is_own = |fault: &Fault| fault.connection as usize == connection && fault.kind.is_of_attempt();
        let nth = self.faults.iter().position(is_own)?;
        let fault = self.faults.remove(nth);
        self.notes(fault, now_ns);
        Some(fault.kind)
    }

    /// The number of bytes that this end may send before its next fault; `None` if no fault is left.
    pub(super) fn bytes_to_fault(&self, connection: usize, from: End) -> Option<u64> {
        let sent = self.connections[connection].side(from).sent;
        let own = self.faults.iter().filter(|fault| is_due_of(fault, connection, from));
        own.map(|fault| fault.after_bytes.saturating_sub(sent)).min()
    }

    /// Carries out the faults that this end has reached.
    pub(super) fn strikes(&mut self, connection: usize, from: End, now_ns: u64) {
        let sent = self.connections[connection].side(from).sent;
        while let Some(nth) =
            self.faults.iter().position(|fault| is_due_of(fault, connection, from) && fault.after_bytes <= sent)
        {
            let fault = self.faults.remove(nth);
            self.notes(fault, now_ns);
            self.happens(fault, connection, now_ns);
        }
    }

    fn happens(&mut self, fault: Fault, nth: usize, now_ns: u64) {
        let after = |ms: u32| now_ns.saturating_add(u64::from(ms) * 1_000_000);
        let connection = &mut self.connections[nth];
        match fault.kind {
            FaultKind::Reset => {
                connection.reset(End::Client, now_ns);
                connection.reset(End::Server, now_ns);
            }
            FaultKind::HalfClose => connection.shuts_writes(fault.from, now_ns),
            FaultKind::Blackhole => connection.blackens(now_ns),
            FaultKind::Stall { ms } => connection.holds(after(ms)),
            FaultKind::Hold { ms } => self.holds_all(after(ms)),
            // Lost segments are sent again after the partition.
            FaultKind::Partition { ms } => self.holds_all(after(ms).saturating_add(RETRANSMITTED_NS)),
            FaultKind::Refuse => connection.send(End::Client, Segment::Refused, now_ns),
            FaultKind::Hang => connection.hangs(now_ns),
        }
    }

    /// Holds all segments until this time, those of connections that are opened before it too.
    fn holds_all(&mut self, until_ns: u64) {
        self.held_until_ns = self.held_until_ns.max(until_ns);
        self.connections.iter_mut().for_each(|connection| connection.holds(until_ns));
    }

    fn notes(&mut self, fault: Fault, now_ns: u64) {
        let Fault { kind, connection: nth, from, after_bytes } = fault;
        let connection = &self.connections[nth as usize];
        let [client, server] = [End::Client, End::Server].map(|end| connection.side(end).address);
        let when = match kind.is_of_attempt() {
            true => String::new(),
            false => format!(" after {} of the {}", Bytes(after_bytes), from.name()),
        };
        let ms = now_ns as f64 / 1e6;
        let text = format!("{kind} of connection {nth} ({client} to {server}){when}, at {ms} ms");
        self.struck.push(Struck { kind, text });
    }
}

fn is_due_of(fault: &Fault, connection: usize, from: End) -> bool {
    fault.connection as usize == connection && fault.from == from && !fault.kind.is_of_attempt()
}
