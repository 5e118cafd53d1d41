//! Connection attempts: a SYN reaches its address, and is sent again if it was dropped.

use std::net::SocketAddr;

use lastref_kernel::record::{End, FaultKind};

use super::sockets::{File, State};
use super::stream::{ATTEMPT_NS, Phase, Segment};
use super::{Network, Retry};

/// The time after which a client sends its SYN for the second time.
const RETRY_NS: u64 = 1_000_000_000;

impl Network {
    /// The listener's answer to an attempt. The attempt enters the listener's queue at once, so that no other task can
    /// take its slot; the answer arrives after a round trip.
    pub(super) fn attempts(&mut self, nth: usize, address: SocketAddr, now_ns: u64) {
        let answered_ns = now_ns.saturating_add(self.connections[nth].latency_ns());
        match self.fault_of_attempt(nth, now_ns) {
            Some(FaultKind::Hang) => self.connections[nth].hangs(now_ns),
            Some(_) => self.connections[nth].send(End::Client, Segment::Refused, answered_ns),
            None => self.knocks(nth, address, now_ns, RETRY_NS),
        }
        self.advance(now_ns);
    }

    /// A SYN reaches its address. If it is dropped, the client sends it again after the pause.
    fn knocks(&mut self, nth: usize, address: SocketAddr, now_ns: u64, pause_ns: u64) {
        let answered_ns = now_ns.saturating_add(self.connections[nth].latency_ns());
        if self.is_down(address, now_ns) {
            return self.drops_syn(nth, address, now_ns, pause_ns);
        }
        let Some(listener) = self.listener(address) else {
            return self.connections[nth].send(End::Client, Segment::Refused, answered_ns);
        };
        let Some(File { state: State::Listens { queue, backlog, .. }, options, edges, .. }) = &mut self.files[listener]
        else {
            return;
        };
        // Linux drops the SYN while the queue is full.
        if queue.len() >= *backlog {
            return self.drops_syn(nth, address, now_ns, pause_ns);
        }
        queue.push_back(nth);
        edges.reads();
        let connection = &mut self.connections[nth];
        let server = connection.side_mut(End::Server);
        (server.phase, server.buffers) = (Phase::Established, options.buffers());
        connection.send(End::Client, Segment::SynAck, answered_ns);
        connection.advance(now_ns);
        for end in [End::Client, End::Server] {
            self.strikes(nth, end, now_ns);
        }
    }

    /// A client whose SYN was dropped sends at most six more: the last after 63 s.
    fn drops_syn(&mut self, nth: usize, address: SocketAddr, now_ns: u64, pause_ns: u64) {
        self.connections[nth].hangs(now_ns);
        if 2 * pause_ns < ATTEMPT_NS {
            self.retries.push(Retry { connection: nth, address, at_ns: now_ns.saturating_add(pause_ns), pause_ns });
        }
    }

    /// Removes a connection from the queue of its listener, if it waits there.
    pub(super) fn leaves_queue(&mut self, connection: usize) {
        for file in self.files.iter_mut().flatten() {
            if let State::Listens { queue, .. } = &mut file.state {
                queue.retain(|waiting| *waiting != connection);
            }
        }
    }

    /// Sends again the SYNs that are due; returns whether there was one.
    pub(super) fn tries_again(&mut self, now_ns: u64) -> bool {
        let mut has_changed = false;
        while let Some(place) = self.retries.iter().position(|retry| retry.at_ns <= now_ns) {
            let Retry { connection, address, pause_ns, .. } = self.retries.remove(place);
            let client = self.connections[connection].side(End::Client);
            if client.phase == Phase::Connecting && !client.is_closed {
                self.knocks(connection, address, now_ns, 2 * pause_ns);
                has_changed = true;
            }
        }
        has_changed
    }
}
