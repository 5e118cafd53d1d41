//! Faults as they happen: at a connection attempt, or at a byte of one end.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use lastref_kernel::record::{End, FaultKind};

use super::stream::{Connection, Phase, RETRANSMITTED_NS, Segment};
use super::{Network, Struck};
use crate::bytes::Bytes;
use lastref_kernel::faults::Fault;

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
        let server = connection.side(End::Server).address;
        match fault.kind {
            FaultKind::Reset => {
                connection.reset(End::Client, now_ns);
                connection.reset(End::Server, now_ns);
            }
            FaultKind::HalfClose => connection.shuts_writes(fault.from, now_ns),
            FaultKind::Blackhole => connection.blackens(now_ns),
            FaultKind::Stall { ms } => connection.holds(after(ms)),
            FaultKind::Hold { ms } => self.holds_host(server.ip(), after(ms)),
            // Lost segments are sent again after the partition.
            FaultKind::Partition { ms } => {
                self.holds_host(server.ip(), after(ms).saturating_add(RETRANSMITTED_NS));
            }
            FaultKind::Crash { ms } => self.crashes(server, after(ms), now_ns),
            FaultKind::Refuse => connection.send(End::Client, Segment::Refused, now_ns),
            FaultKind::Hang => connection.hangs(now_ns),
        }
    }

    /// Holds the segments of all connections to this host until this time, also those of connections that are opened
    /// before it.
    fn holds_host(&mut self, host: IpAddr, until_ns: u64) {
        extend(&mut self.held_until_ns, host, until_ns);
        let to_host = |connection: &&mut Connection| connection.side(End::Server).address.ip() == host;
        self.connections.iter_mut().filter(to_host).for_each(|connection| connection.holds(until_ns));
    }

    /// Crashes the server at this address: its connections are lost, also those that wait in its queue, and until it is
    /// up again it drops every SYN.
    fn crashes(&mut self, server: SocketAddr, up_ns: u64, now_ns: u64) {
        extend(&mut self.down_until_ns, server, up_ns);
        for nth in 0..self.connections.len() {
            let side = self.connections[nth].side(End::Server);
            if side.address == server && side.phase != Phase::Connecting {
                self.leaves_queue(nth);
                self.connections[nth].loses_server(up_ns, now_ns);
            }
        }
    }

    /// Whether the server at this address has crashed and is not up again.
    pub(super) fn is_down(&self, server: SocketAddr, now_ns: u64) -> bool {
        self.down_until_ns.get(&server).is_some_and(|up_ns| now_ns < *up_ns)
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

/// Lets an outage of `place` last until this time, unless an earlier fault lets it last longer.
fn extend<T: Ord>(outages: &mut BTreeMap<T, u64>, place: T, until_ns: u64) {
    let until = outages.entry(place).or_default();
    *until = until_ns.max(*until);
}

fn is_due_of(fault: &Fault, connection: usize, from: End) -> bool {
    fault.connection as usize == connection && fault.from == from && !fault.kind.is_of_attempt()
}
