//! One connection: two directions, each with bytes in flight and bytes that have arrived.
//!
//! A write succeeds at once, and its bytes arrive after the connection's latency. The sender's and the receiver's
//! buffer together bound the bytes that are in flight or unread. FIN and RST follow the data that was sent before them,
//! as in Linux:
//!
//! | event | effect |
//! | --- | --- |
//! | `shutdown(Write)`, or a close without unread data | FIN: the peer reads to the end, then 0 bytes |
//! | a close with unread data, or data for a closed end | RST |
//! | data after `shutdown(Both)` | RST to the sender, `ECONNRESET` for the receiver |
//! | RST | unread data can still be read; then `ECONNRESET`, or `EPIPE` if FIN has arrived before |
//!
//! Left out: retransmission, Nagle's algorithm, TIME_WAIT, urgent data. No segment is lost, except in a blackhole.

use std::collections::VecDeque;
use std::net::SocketAddr;

use lastref_kernel::record::{End, ObjectId};

use super::inbox::Inbox;
use super::options::Buffers;
use super::poller::Edges;

/// The time after which unacknowledged data ends a connection: Linux's `tcp_retries2`.
const RETRANSMISSION_NS: u64 = 924_600_000_000;
/// Delay after an interruption before data is sent again: Linux's minimum retransmission timeout.
pub(super) const RETRANSMITTED_NS: u64 = 200_000_000;
/// The time after which an unanswered attempt ends: Linux's `tcp_syn_retries`.
pub(super) const ATTEMPT_NS: u64 = 127_000_000_000;

/// A segment on its way to an end.
#[derive(Debug)]
pub(super) enum Segment {
    Data(Vec<u8>),
    Fin,
    Rst,
    /// The answer to a connection attempt.
    SynAck,
    /// The refusal of an attempt.
    Refused,
}

/// The state of one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Established,
    /// RST, a refusal or a timeout has ended it.
    Dead,
}

/// One end of a connection: what it has received.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) address: SocketAddr,
    pub(super) phase: Phase,
    pub(super) inbox: Inbox,
    flight: VecDeque<(u64, Segment)>,
    /// Bytes of data in `flight`, and bytes lost in a blackhole.
    flying: usize,
    pub(super) has_fin: bool,
    /// The pending error of the socket.
    pub(super) error: Option<i32>,
    pub(super) reads_shut: bool,
    pub(super) writes_shut: bool,
    pub(super) is_closed: bool,
    /// The bytes that this end has sent.
    pub(super) sent: u64,
    pub(super) buffers: Buffers,
    /// Whether the peer's buffer was full when this end wrote.
    pub(super) lacks_space: bool,
    pub(super) edges: Edges,
    /// The time at which unacknowledged data ends the connection.
    times_out_ns: Option<u64>,
}

impl Side {
    fn new(address: SocketAddr, phase: Phase) -> Side {
        Side {
            address,
            phase,
            inbox: Inbox::default(),
            flight: VecDeque::new(),
            flying: 0,
            has_fin: false,
            error: None,
            reads_shut: false,
            writes_shut: false,
            is_closed: false,
            sent: 0,
            buffers: Buffers::default(),
            lacks_space: false,
            edges: Edges::default(),
            times_out_ns: None,
        }
    }

    fn dies(&mut self, error: i32) {
        (self.phase, self.error) = (Phase::Dead, Some(error));
        self.flight.clear();
        self.flying = 0;
        self.times_out_ns = None;
        self.edges.both();
    }
}

/// A connection between two sockets of the run.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) object: ObjectId,
    sides: [Side; 2],
    latency_ns: u64,
    /// Segments in flight are held until this time.
    held_until_ns: u64,
    pub(super) is_black: bool,
    /// The time at which a crashed server is up again. It does not know the connection then.
    lost_until_ns: Option<u64>,
}

impl Connection {
    /// A connection attempt that the listener has not answered yet. Segments are held until `held_until_ns`.
    pub(super) fn new(
        object: ObjectId,
        client: SocketAddr,
        server: SocketAddr,
        latency_ns: u64,
        held_until_ns: u64,
    ) -> Connection {
        let side = |address| Side::new(address, Phase::Connecting);
        let sides = [side(client), side(server)];
        Connection { object, sides, latency_ns, held_until_ns, is_black: false, lost_until_ns: None }
    }

    pub(super) fn latency_ns(&self) -> u64 {
        self.latency_ns
    }

    pub(super) fn side(&self, end: End) -> &Side {
        &self.sides[end.index()]
    }

    pub(super) fn side_mut(&mut self, end: End) -> &mut Side {
        &mut self.sides[end.index()]
    }

    /// Sends a segment to this end.
    pub(super) fn send(&mut self, to: End, segment: Segment, now_ns: u64) {
        let bytes = if let Segment::Data(bytes) = &segment { bytes.len() } else { 0 };
        let arrives_ns = now_ns.saturating_add(self.latency_ns).max(self.held_until_ns);
        let is_black = self.is_black;
        if is_black {
            // Starts the sender's retransmission timeout, since it has unacknowledged data.
            let from = self.side_mut(to.other());
            from.times_out_ns.get_or_insert(now_ns.saturating_add(RETRANSMISSION_NS));
        }
        let side = self.side_mut(to);
        side.flying += bytes;
        if !is_black && to == End::Server && self.lost_until_ns.is_some() {
            if matches!(segment, Segment::Data(_) | Segment::Fin) {
                self.answers_unknown(now_ns);
            }
        } else if !is_black {
            let side = self.side_mut(to);
            let last_ns = side.flight.back().map_or(0, |(last_ns, _)| *last_ns);
            side.flight.push_back((arrives_ns.max(last_ns), segment));
        }
    }

    /// Sends RST to this end, behind the segments in flight. In a blackhole the RST is lost, which does not affect the
    /// sender.
    pub(super) fn reset(&mut self, to: End, now_ns: u64) {
        if !self.is_black {
            self.send(to, Segment::Rst, now_ns);
        }
    }

    /// The server has crashed: what is on the way to it is lost, and its end fails. The client gets no notice.
    pub(super) fn loses_server(&mut self, up_ns: u64, now_ns: u64) {
        let server = self.side_mut(End::Server);
        let is_awaited = server.flight.iter().any(|(_, segment)| matches!(segment, Segment::Data(_) | Segment::Fin));
        server.inbox = Inbox::default();
        server.dies(libc::ECONNRESET);
        self.lost_until_ns = Some(self.lost_until_ns.map_or(up_ns, |earlier_ns| earlier_ns.max(up_ns)));
        if is_awaited && !self.is_black {
            self.answers_unknown(now_ns);
        }
    }

    /// The restarted server answers data of a connection that it does not know with RST. During the outage the data is
    /// lost, and the client sends it again.
    fn answers_unknown(&mut self, sent_ns: u64) {
        let Some(up_ns) = self.lost_until_ns else { return };
        // The RST may be lost too, in a blackhole.
        self.side_mut(End::Client).times_out_ns.get_or_insert(sent_ns.saturating_add(RETRANSMISSION_NS));
        let resent_ns = if sent_ns < up_ns { up_ns.saturating_add(RETRANSMITTED_NS) } else { sent_ns };
        self.send(End::Client, Segment::Rst, resent_ns.saturating_add(self.latency_ns));
    }

    /// Leaves the client's attempt without an answer, so that it times out.
    pub(super) fn hangs(&mut self, now_ns: u64) {
        self.side_mut(End::Client).times_out_ns.get_or_insert(now_ns.saturating_add(ATTEMPT_NS));
    }

    /// Starts a blackhole: all segments are lost, including those in flight.
    pub(super) fn blackens(&mut self, now_ns: u64) {
        self.is_black = true;
        for end in [End::Client, End::Server] {
            let had_data = !self.side(end).flight.is_empty();
            self.side_mut(end).flight.clear();
            if had_data {
                let from = self.side_mut(end.other());
                from.times_out_ns.get_or_insert(now_ns.saturating_add(RETRANSMISSION_NS));
            }
        }
    }

    /// Holds all segments until this time.
    pub(super) fn holds(&mut self, until_ns: u64) {
        self.held_until_ns = self.held_until_ns.max(until_ns);
        for side in &mut self.sides {
            side.flight.iter_mut().for_each(|(arrives_ns, _)| *arrives_ns = (*arrives_ns).max(until_ns));
        }
    }

    /// The time of the next arrival or timeout.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let of =
            |side: &Side| side.flight.front().map(|(arrives_ns, _)| *arrives_ns).into_iter().chain(side.times_out_ns);
        self.sides.iter().flat_map(of).min()
    }

    /// Delivers what has arrived by now; returns whether anything changed.
    pub(super) fn advance(&mut self, now_ns: u64) -> bool {
        let mut has_changed = false;
        for end in [End::Client, End::Server] {
            while self.side(end).flight.front().is_some_and(|(arrives_ns, _)| *arrives_ns <= now_ns) {
                let Some((_, segment)) = self.side_mut(end).flight.pop_front() else { break };
                self.arrives(end, segment, now_ns);
                has_changed = true;
            }
            let side = self.side_mut(end);
            if side.times_out_ns.is_some_and(|times_out_ns| times_out_ns <= now_ns) {
                side.times_out_ns = None;
                if side.phase != Phase::Dead {
                    side.dies(libc::ETIMEDOUT);
                    has_changed = true;
                }
            }
        }
        has_changed
    }

    fn arrives(&mut self, end: End, segment: Segment, now_ns: u64) {
        let side = self.side_mut(end);
        if let Segment::Data(bytes) = &segment {
            side.flying -= bytes.len().min(side.flying);
        }
        match segment {
            Segment::Data(bytes) if side.is_closed || side.phase == Phase::Dead => {
                if !bytes.is_empty() {
                    self.reset(end.other(), now_ns);
                }
            }
            // Linux aborts a connection if data arrives after both directions were shut down.
            Segment::Data(bytes) if side.reads_shut && side.writes_shut && !bytes.is_empty() => {
                side.dies(libc::ECONNRESET);
                self.reset(end.other(), now_ns);
            }
            Segment::Data(bytes) => {
                side.inbox.push(bytes);
                side.edges.reads();
            }
            Segment::Fin => {
                side.has_fin = true;
                side.edges.both();
            }
            Segment::Rst if side.phase == Phase::Dead => {}
            Segment::Rst => {
                let error = if side.has_fin { libc::EPIPE } else { libc::ECONNRESET };
                side.dies(error);
            }
            Segment::SynAck => {
                side.phase = Phase::Established;
                side.times_out_ns = None;
                side.edges.both();
            }
            Segment::Refused => side.dies(libc::ECONNREFUSED),
        }
    }

    /// The number of sent bytes of this end that may be in flight or unread: those that its own send buffer and the
    /// peer's receive buffer hold.
    fn capacity(&self, from: End) -> usize {
        self.side(from).buffers.send.saturating_add(self.side(from.other()).buffers.receive)
    }

    /// The number of bytes that this end could send now.
    pub(super) fn space(&self, from: End) -> usize {
        let to = self.side(from.other());
        self.capacity(from).saturating_sub(to.inbox.len() + to.flying)
    }

    /// Whether pollers report that this end can write. As in Linux, this needs a third of the buffers to be free.
    fn has_much_space(&self, from: End) -> bool {
        self.space(from).saturating_mul(3) >= self.capacity(from)
    }

    /// Passes up to this many bytes to `to`, and returns how many; `Err(EAGAIN)` if the call would wait.
    pub(super) fn read(&mut self, end: End, most: usize, peeks: bool, to: &mut dyn FnMut(&[u8])) -> Result<usize, i32> {
        let side = self.side_mut(end);
        if side.phase == Phase::Connecting {
            return Err(libc::EAGAIN);
        }
        if !side.inbox.is_empty() || most == 0 {
            if peeks {
                return Ok(side.inbox.peek(most, to));
            }
            let count = side.inbox.read(most, to);
            self.frees_space(end);
            return Ok(count);
        }
        if side.has_fin {
            return Ok(0);
        }
        if let Some(error) = side.error.take() {
            return Err(error);
        }
        if side.reads_shut || side.phase == Phase::Dead { Ok(0) } else { Err(libc::EAGAIN) }
    }

    /// Called after a read: lets a peer that lacked space write again.
    fn frees_space(&mut self, end: End) {
        let is_enough = self.has_much_space(end.other());
        let peer = self.side_mut(end.other());
        if peer.lacks_space && is_enough {
            peer.lacks_space = false;
            peer.edges.writes();
        }
    }

    /// Checks that this end may write. `EAGAIN`: it has to wait.
    pub(super) fn may_write(&mut self, end: End) -> Result<(), i32> {
        let has_space = self.space(end) > 0;
        let side = self.side_mut(end);
        if let Some(error) = side.error.take() {
            return Err(error);
        }
        if side.writes_shut || side.phase == Phase::Dead {
            return Err(libc::EPIPE);
        }
        if side.phase == Phase::Connecting {
            return Err(libc::EAGAIN);
        }
        side.lacks_space = !has_space;
        if has_space { Ok(()) } else { Err(libc::EAGAIN) }
    }

    /// Whether the FIN of each end has arrived at the other: Linux has then closed both sockets.
    pub(super) fn is_over(&self) -> bool {
        self.sides.iter().all(|side| side.has_fin)
    }

    /// Sends FIN, once.
    pub(super) fn shuts_writes(&mut self, end: End, now_ns: u64) {
        if !std::mem::replace(&mut self.side_mut(end).writes_shut, true) {
            self.side_mut(end).edges.both();
            self.send(end.other(), Segment::Fin, now_ns);
        }
    }

    /// Closes this end, after its last descriptor was closed.
    pub(super) fn closes(&mut self, end: End, lingers: bool, now_ns: u64) {
        let side = self.side_mut(end);
        side.is_closed = true;
        if side.phase == Phase::Dead {
            return;
        }
        if side.inbox.is_empty() && lingers {
            self.shuts_writes(end, now_ns);
        } else {
            side.phase = Phase::Dead;
            self.reset(end.other(), now_ns);
        }
    }

    /// The events of `poll` that this end has.
    pub(super) fn ready(&self, end: End) -> u32 {
        let side = self.side(end);
        if side.phase == Phase::Connecting {
            return 0;
        }
        let is_dead = side.phase == Phase::Dead;
        let is_over = side.has_fin || side.reads_shut || is_dead;
        let mut events = 0;
        let mut add = |has: bool, event: i32| events |= if has { event as u32 } else { 0 };
        add(!side.inbox.is_empty() || is_over, libc::EPOLLIN | libc::EPOLLRDNORM);
        add(is_over, libc::EPOLLRDHUP);
        let is_writable = is_dead || side.writes_shut || self.has_much_space(end);
        add(is_writable, libc::EPOLLOUT | libc::EPOLLWRNORM);
        add(is_dead || ((side.has_fin || side.reads_shut) && side.writes_shut), libc::EPOLLHUP);
        add(side.error.is_some(), libc::EPOLLERR);
        events
    }
}
