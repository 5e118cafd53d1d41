//! One connection as the wire sees it: its bytes, each counted once, and the faults that happen at one of them.
//!
//! Every fault takes the same steps: it is [due](Connection::due) when its byte is reached, it
//! [strikes](Connection::strike), and it is counted in the connection's phase at that time. Faults of one segment
//! strike in turn, each at its own byte: the segment is split there, and the bytes before a fault pass unaffected.
//!
//! This file handles packets only, not links or latency. It returns the steps that the wire performs in a packet's
//! place.

use std::net::SocketAddr;

use kernel::record::{End, Phase};
use kernel::seed::Choice;
use turmoil_net::{Packet, TcpSegment, Transport};

use super::decoder::Decoder;
use super::dialogue::Dialogue;
use super::fault::Fault;
use super::faults::{Ruled, Strike};
use super::packet_steps::{PacketSteps, Step};
use super::segment::{bare_ack, piece, reset_from};
use super::side::{Side, StreamRange};
use crate::time::{Duration, Instant};

/// The addresses of both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
}

impl Pair {
    /// RST from this end to the other, and in the opposite direction.
    fn resets(self, from: End) -> [Packet; 2] {
        let (own, other) = match from {
            End::Client => (self.client, self.server),
            End::Server => (self.server, self.client),
        };
        [reset_from(own, other), reset_from(other, own)]
    }
}

/// The state of a connection, derived from its packets.
#[derive(Debug)]
pub(super) struct Connection {
    /// The number of the connection attempt in this network.
    pub(super) number: u32,
    pub(super) pair: Pair,
    /// The time until which its packets wait.
    stalled_until: Option<Instant>,
    /// The arrival time of each end's last packet: later packets arrive no earlier.
    last: [Option<Instant>; 2],
    /// Packets that each end has put on the link.
    sent: [u32; 2],
    pub(super) sides: [Side; 2],
    /// All its packets are dropped.
    pub(super) is_blackhole: bool,
    dialogue: Dialogue,
    /// The attempt is pending: it was neither accepted by its listener nor reset.
    pub(super) is_waiting: bool,
    /// Turns for which a FIN has waited for the client's task to see the connection.
    waited: u32,
    /// The faults of the plan that have not happened yet, in the order of the plan.
    faults: Vec<Fault>,
}

impl Connection {
    /// A connection with the plan's faults for it.
    pub(super) fn new(number: u32, pair: Pair, decoder: Decoder, faults: &[Fault]) -> Connection {
        let sides = [Side::new(decoder, End::Client), Side::new(decoder, End::Server)];
        let has_handshake = sides.iter().any(Side::has_handshake);
        Connection {
            number,
            pair,
            stalled_until: None,
            last: [None; 2],
            sent: [0; 2],
            sides,
            is_blackhole: false,
            dialogue: Dialogue::new(has_handshake),
            is_waiting: false,
            waited: 0,
            faults: faults.iter().filter(|fault| fault.connection == number).copied().collect(),
        }
    }

    /// The choice of the latency of this end's next packet.
    pub(super) fn latency(&mut self, end: End) -> Choice {
        let sent = &mut self.sent[end.index()];
        *sent += 1;
        Choice::Latency { connection: self.number, end: end.index(), nth: *sent }
    }

    /// Returns the arrival time of this end's packet: `at`, or later to keep the order of packets or during a stall.
    pub(super) fn arrival(&mut self, from: End, at: Instant) -> Instant {
        let last = &mut self.last[from.index()];
        let at = [*last, self.stalled_until].into_iter().flatten().fold(at, Instant::max);
        *last = Some(at);
        at
    }

    /// Its phase.
    pub(super) fn phase(&self) -> Phase {
        let [client, server] = &self.sides;
        self.dialogue.phase(client.is_within_a_frame(), server.is_within_a_frame(), server.arrived())
    }

    /// Whether the client's stream may still appear within this many turns, the present one included.
    pub(super) fn waits_for_stream(&mut self, turns: u32) -> bool {
        self.waited += 1;
        self.waited <= turns
    }

    /// Whether the server's host has answered the attempt, and therefore has a socket for it.
    pub(super) fn is_answered(&self) -> bool {
        self.sides[End::Server.index()].first.is_some()
    }

    /// Records that the data that a packet of this end acknowledges has arrived. Called when the packet leaves its host
    /// or is lost.
    pub(super) fn acknowledge(&mut self, packet: &Packet, from: End) {
        let Transport::Tcp(segment) = &packet.payload else { return };
        if segment.flags.ack && !segment.flags.rst && !segment.flags.syn {
            self.sides[from.index()].last_ack = Some(bare_ack(packet, segment));
            self.sides[from.other().index()].acknowledged = Some(segment.ack);
        }
    }

    /// Applies the faults to a packet of this end that leaves its host. `is_full`: the packet is a connection attempt,
    /// and its listener's backlog is full.
    pub(super) fn pass(&mut self, mut packet: Packet, from: End, is_full: bool, now: Instant) -> PacketSteps {
        if self.is_blackhole {
            return PacketSteps::default();
        }
        self.acknowledge(&packet, from);
        let Transport::Tcp(segment) = &mut packet.payload else { return PacketSteps::of(packet) };
        if segment.flags.syn {
            return self.pass_syn(packet, from, is_full, now);
        }
        let (side, other) = (&self.sides[from.index()], &self.sides[from.other().index()]);
        side.trim(segment);
        // turmoil-net does not acknowledge a retransmitted segment that it already has, so the connection would fail
        // after a lost acknowledgement.
        if side.is_repeated(segment) {
            return other.last_ack.clone().map_or_else(PacketSteps::default, PacketSteps::of);
        }
        let start = u64::from(segment.seq.wrapping_sub(side.first.unwrap_or(segment.seq)));
        let segment = segment.clone();
        let mut passing =
            Passing { packet, segment, from, start, before: self.phase(), now, passed: PacketSteps::new() };
        self.pass_segment(&mut passing);
        passing.passed
    }

    /// Passes the SYN or the SYN-ACK.
    fn pass_syn(&mut self, packet: Packet, from: End, is_full: bool, now: Instant) -> PacketSteps {
        let Transport::Tcp(segment) = &packet.payload else { return PacketSteps::of(packet) };
        // turmoil-net does not answer a repeated SYN-ACK: if its first acknowledgement was lost, the server's host
        // would give the connection up, and the client would never notice.
        if from == End::Server
            && let Some(ack) = &self.sides[End::Client.index()].last_ack
        {
            return PacketSteps::of(ack.clone());
        }
        let is_first = self.sides[from.index()].first.replace(segment.seq.wrapping_add(1)).is_none();
        let mut passed = PacketSteps::new();
        if is_first {
            passed.say(|| String::from("SYN"));
        }
        if from == End::Client {
            if let Some(fault) = self.take_fault(|fault| fault.kind.is_of_attempt()) {
                self.strike(fault, Phase::Connecting, now, &mut passed);
                return passed;
            }
            if is_full && !self.is_waiting {
                // turmoil-net's kernel would drop the attempt, which would then time out.
                passed.hit("full backlog", Phase::Connecting);
                self.refuse(&mut passed);
                return passed;
            }
            self.is_waiting |= is_first;
        }
        passed.send([packet]);
        passed
    }

    /// Passes a segment of an established attempt: counts its bytes, and applies the faults among them.
    fn pass_segment(&mut self, passing: &mut Passing) {
        let Passing { from, start, before, now, .. } = *passing;
        let is_made = from == End::Client && passing.segment.flags.ack && self.dialogue.establish();
        let end = start + passing.segment.payload.len() as u64;
        let reached = end.max(self.sides[from.index()].bytes);
        let mut cursor = start;
        // Faults cannot hit a connection that is closed.
        while before != Phase::Closed
            && !self.is_blackhole
            && let Some(fault) = self.due(from, reached)
        {
            let at = fault.after_bytes.clamp(cursor, end);
            self.count(passing, at);
            // A fault that comes later, or that the socket carries out, does not split the segment.
            let splits = fault.after_ms == 0 && !fault.kind.is_of_socket();
            if splits && (at > cursor || fault.kind.rule().ends_traffic()) {
                passing.send_piece(cursor, at, false);
                cursor = at;
            }
            // A fault at byte 0 precedes the effects of its packet.
            let phase = if fault.after_bytes == 0 { before } else { self.phase() };
            self.strike(fault, phase, now, &mut passing.passed);
        }
        if !self.is_blackhole {
            self.pass_rest(passing, cursor);
        }
        // The client's acknowledgement establishes the connection: byte 0 of the server's end is reached as
        // well.
        while is_made
            && !self.is_blackhole
            && let Some(fault) = self.due(End::Server, 0)
        {
            self.strike(fault, before, now, &mut passing.passed);
        }
    }

    /// Passes the rest of a segment after its faults, and its flags.
    fn pass_rest(&mut self, passing: &mut Passing, cursor: u64) {
        let Passing { from, start, before, .. } = *passing;
        let flags = passing.segment.flags;
        let end = start + passing.segment.payload.len() as u64;
        self.count(passing, end);
        // The phase after its bytes, and before the FIN that may follow them.
        let reached = self.phase();
        if flags.fin {
            let by = self.sides[from.index()].half_closed_by.take();
            if let Some(fault) = by.filter(|_| before != Phase::Closed) {
                passing.passed.say(|| fault.to_string());
                passing.passed.hit(fault.kind.name(), reached);
            }
            self.dialogue.half_close(from);
            passing.passed.say(|| String::from("FIN"));
        }
        if flags.rst {
            self.is_waiting = false;
            self.dialogue.end();
            passing.passed.say(|| String::from("RST"));
        }
        if cursor == start || cursor < end || flags.fin {
            passing.send_piece(cursor, end, true);
        }
    }

    /// Counts the bytes of a segment up to `passes`, and reports their frames.
    fn count(&mut self, passing: &mut Passing, passes: u64) {
        let Passing { from, start, before, ref segment, ref mut passed, .. } = *passing;
        let side = &mut self.sides[from.index()];
        let roles = side.count(segment, StreamRange { start, passes }, passed);
        let bytes = side.bytes;
        for fault in roles.into_iter().filter_map(|role| self.dialogue.play(from, role, bytes)) {
            if before != Phase::Closed {
                passed.hit(fault, before);
            }
        }
    }

    /// The next fault of this end whose byte is reached; each is due once.
    fn due(&mut self, from: End, reached: u64) -> Option<Fault> {
        self.take_fault(|fault| fault.from == from && !fault.kind.is_of_attempt() && fault.after_bytes <= reached)
    }

    /// Takes the first of the matching faults, by byte and then by the order of the plan.
    fn take_fault(&mut self, which: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let those = self.faults.iter().enumerate().filter(|(_, fault)| which(fault));
        let (nth, _) = those.min_by_key(|(_, fault)| fault.after_bytes)?;
        Some(self.faults.remove(nth))
    }

    /// Applies a fault whose byte is reached, or schedules it.
    fn strike(&mut self, fault: Fault, phase: Phase, now: Instant, passed: &mut PacketSteps) {
        if fault.after_ms > 0 && !fault.kind.is_of_attempt() {
            passed.steps.push(Step::Later(now + Duration::from_millis(u64::from(fault.after_ms)), fault));
            return;
        }
        self.happen(fault, phase, now, passed);
    }

    /// Applies a fault.
    fn happen(&mut self, fault: Fault, phase: Phase, now: Instant, passed: &mut PacketSteps) {
        if !fault.kind.is_of_socket() {
            passed.say(|| fault.to_string());
            passed.hit(fault.kind.name(), phase);
        }
        fault.kind.rule().happen(&mut Strike { connection: self, fault, now, passed });
    }

    /// Ends the connection. Returns RST from this end to the other, and in the opposite direction.
    pub(super) fn reset(&mut self, from: End) -> [Packet; 2] {
        (self.is_blackhole, self.is_waiting) = (true, false);
        self.dialogue.end();
        self.pair.resets(from)
    }

    /// Drops all its packets from now on.
    pub(super) fn drop_packets(&mut self) {
        self.is_blackhole = true;
    }

    /// Drops all its packets from now on, and marks it as closed.
    pub(super) fn end_in_blackhole(&mut self) {
        self.drop_packets();
        self.dialogue.end();
    }

    /// Requests the socket of the fault's end to shut down its write side.
    pub(super) fn half_close_by(&mut self, fault: Fault) {
        self.sides[fault.from.index()].to_half_close = Some(fault);
    }

    /// Answers the attempt with RST.
    pub(super) fn refuse(&mut self, passed: &mut PacketSteps) {
        self.dialogue.end();
        let [_, back] = self.pair.resets(End::Client);
        passed.send([back]);
    }

    /// Applies the fault between two packets. Returns `None` if the connection is already closed.
    pub(super) fn happen_late(&mut self, fault: Fault, now: Instant) -> Option<PacketSteps> {
        let phase = self.phase();
        if phase == Phase::Closed {
            return None;
        }
        let mut passed = PacketSteps::new();
        self.happen(fault, phase, now, &mut passed);
        Some(passed)
    }

    /// Delays its packets at least until that time.
    pub(super) fn stall(&mut self, until: Instant) {
        self.stalled_until = self.stalled_until.max(Some(until));
    }

    /// Removes its remaining faults, and ends its stall: delayed packets arrive by that time.
    pub(super) fn end_faults(&mut self, by: Instant) {
        self.faults.clear();
        self.stalled_until = None;
        self.last.iter_mut().flatten().for_each(|last| *last = by.min(*last));
    }

    /// The number of bytes that this end may write before a fault shuts down its write side.
    pub(super) fn half_closes_after(&self, end: End) -> Option<u64> {
        let half_closes = |fault: &&Fault| fault.from == end && fault.kind.is_of_socket() && fault.after_ms == 0;
        self.faults.iter().filter(half_closes).map(|fault| fault.after_bytes).min()
    }

    /// Called when this end writes beyond the byte at which a fault shuts down its write side. The fault happens once
    /// the socket has the bytes before it, even if they have not passed yet.
    pub(super) fn half_close_before(&mut self, end: End) {
        let taken = self.take_fault(|fault| fault.from == end && fault.kind.is_of_socket() && fault.after_ms == 0);
        let side = &mut self.sides[end.index()];
        side.to_half_close = side.to_half_close.or(taken);
    }

    /// Takes the fault that is to shut down this end's write side, and returns whether there is one. The shutdown of a
    /// side that is already shut down is not attributed to the fault.
    pub(super) fn take_half_close(&mut self, end: End) -> bool {
        let side = &mut self.sides[end.index()];
        let is_open = !side.is_shut && !side.is_dropped;
        let Some(fault) = side.to_half_close.take().filter(|_| is_open) else { return false };
        (side.half_closed_by, side.is_shut) = (Some(fault), true);
        true
    }

    /// Records that the component has shut down the write side of this end.
    pub(super) fn shut(&mut self, end: End) {
        self.sides[end.index()].is_shut = true;
    }

    /// Records that the stream of this end was dropped.
    pub(super) fn drop_end(&mut self, end: End) {
        self.sides[end.index()].is_dropped = true;
    }

    /// Whether the segment has new bytes of `from` for a stream that was dropped, which will never be read.
    pub(super) fn is_unwanted(&self, segment: &TcpSegment, from: End) -> bool {
        let to = &self.sides[from.other().index()];
        let end = segment.seq.wrapping_add(u32::try_from(segment.payload.len()).unwrap_or(u32::MAX));
        let acknowledged = to.last_ack.as_ref().and_then(|packet| match &packet.payload {
            Transport::Tcp(segment) => Some(segment.ack),
            _ => None,
        });
        let is_new = acknowledged.is_none_or(|acknowledged| (end.wrapping_sub(acknowledged) as i32) > 0);
        to.is_dropped && is_new
    }

    /// Ends the connection, since data has no reader. Returns RST to both ends: the closed peer, and the sender.
    pub(super) fn refuse_data(&mut self, from: End) -> [Packet; 2] {
        self.dialogue.end();
        self.pair.resets(from)
    }
}

/// A segment while it passes its connection's faults.
#[derive(Debug)]
struct Passing {
    packet: Packet,
    segment: TcpSegment,
    from: End,
    /// The position of its first byte in its end's stream.
    start: u64,
    /// The phase of the connection before it.
    before: Phase,
    now: Instant,
    passed: PacketSteps,
}

impl Passing {
    /// Sends this range of its bytes, by their positions in the stream.
    fn send_piece(&mut self, from: u64, to: u64, is_last: bool) {
        let (from, to) = ((from - self.start) as usize, (to - self.start) as usize);
        let piece = piece(&self.packet, &self.segment, from, to, is_last);
        self.passed.send([piece]);
    }
}

#[cfg(test)]
mod tests {
    use turmoil_net::TcpFlags;

    use super::*;
    use crate::net::packet_steps::Hit;
    use crate::net::segment::packet_of;
    use kernel::record::FaultKind;

    const SYN: TcpFlags = TcpFlags { syn: true, ack: false, fin: false, rst: false, psh: false, urg: false };
    const ACK: TcpFlags = TcpFlags { syn: false, ack: true, ..SYN };
    const SYN_ACK: TcpFlags = TcpFlags { ack: true, ..SYN };
    const FIN: TcpFlags = TcpFlags { fin: true, ..ACK };

    fn fault(from: End, after_bytes: u64, kind: FaultKind) -> Fault {
        Fault { connection: 3, from, after_bytes, after_ms: 0, kind }
    }

    fn attempt(faults: &[Fault]) -> Connection {
        let client = SocketAddr::from(([10, 0, 0, 1], 4000));
        let server = SocketAddr::from(([10, 0, 0, 2], 80));
        Connection::new(3, Pair { client, server }, Decoder::Lines, faults)
    }

    /// What the wire does for a packet, as text: a segment by its end, flags, offset and bytes.
    fn steps(passed: PacketSteps) -> Vec<String> {
        let words = |step| match step {
            Step::Send(packet) => sent(&packet),
            Step::Hit(Hit { fault, phase }) => format!("{fault} hits in {phase:?}"),
            Step::Stall(_) => String::from("stall"),
            Step::Break(link, ms) => format!("{} for {ms} ms", link.fault()),
            Step::Crash(ms) => format!("crash for {ms} ms"),
            Step::Shut(end) => format!("shut {end:?}"),
            Step::Later(_, fault) => format!("later {}", fault.kind),
        };
        passed.steps.into_iter().map(words).collect()
    }

    /// The first byte of the client has the number 100, that of the server 500.
    fn sent(packet: &Packet) -> String {
        let Transport::Tcp(segment) = &packet.payload else { panic!("not a segment: {packet:?}") };
        let (end, first) = if segment.src_port == 80 { ("server", 500) } else { ("client", 100) };
        if segment.flags.rst {
            return format!("{end} RST");
        }
        let syn = if segment.flags.syn { " SYN" } else { "" };
        let fin = if segment.flags.fin { " FIN" } else { "" };
        let text = String::from_utf8_lossy(&segment.payload).replace("\r\n", "/");
        format!("{end}{syn} {}:{text}{fin}", i64::from(segment.seq) - first)
    }

    fn pass(connection: &mut Connection, from: End, numbers: (u32, u32), flags: TcpFlags, text: &[u8]) -> Vec<String> {
        steps(connection.pass(packet_of(from, numbers, flags, text), from, false, Instant::now()))
    }

    fn established(faults: &[Fault]) -> Connection {
        let mut connection = attempt(faults);
        assert_eq!(pass(&mut connection, End::Client, (99, 0), SYN, b""), ["client SYN -1:"]);
        assert!(!connection.is_answered() && connection.is_waiting);
        assert_eq!(pass(&mut connection, End::Server, (499, 100), SYN_ACK, b""), ["server SYN -1:"]);
        assert!(connection.is_answered());
        assert_eq!(connection.phase(), Phase::Connecting);
        let acknowledged = pass(&mut connection, End::Client, (100, 500), ACK, b"");
        assert_eq!(acknowledged[0], "client 0:");
        connection
    }

    #[test]
    fn a_segment_passes_as_it_is_without_a_fault_for_it() {
        let mut connection = established(&[Fault { connection: 2, ..fault(End::Client, 0, FaultKind::Reset) }]);
        assert_eq!(connection.phase(), Phase::Idle);
        assert_eq!(pass(&mut connection, End::Client, (100, 500), ACK, b"ping\r\n"), ["client 0:ping/"]);
        assert_eq!(connection.phase(), Phase::Request);
        assert_eq!(pass(&mut connection, End::Client, (106, 500), ACK, b""), ["client 6:"]);
        assert_eq!(pass(&mut connection, End::Server, (500, 106), FIN, b"pong\r\n"), ["server 0:pong/ FIN"]);
    }

    #[test]
    fn a_segment_is_split_at_a_fault_and_the_rest_of_it_follows() {
        let faults = [
            fault(End::Client, 4, FaultKind::Stall { ms: 20 }),
            fault(End::Client, 2, FaultKind::Hold { ms: 30 }),
            fault(End::Client, 12, FaultKind::Reset),
        ];
        let passed = pass(&mut established(&faults), End::Client, (100, 500), FIN, b"ping\r\n");
        let expected = [
            "client 0:pi",
            "hold hits in Request",
            "hold for 30 ms",
            "client 2:ng",
            "stall hits in Request",
            "stall",
            "client 4:/ FIN",
        ];
        assert_eq!(passed, expected);
    }

    #[test]
    fn a_fault_between_two_segments_splits_neither() {
        let faults = [fault(End::Client, 6, FaultKind::Stall { ms: 20 })];
        let mut connection = established(&faults);
        let passed = pass(&mut connection, End::Client, (100, 500), ACK, b"ping\r\n");
        assert_eq!(passed, ["client 0:ping/", "stall hits in Request", "stall"]);
        assert_eq!(pass(&mut connection, End::Client, (106, 500), ACK, b"ping\r\n"), ["client 6:ping/"]);
    }

    #[test]
    fn a_reset_ends_both_ends_after_the_bytes_before_it() {
        let mut connection = established(&[fault(End::Server, 2, FaultKind::Reset)]);
        let passed = pass(&mut connection, End::Server, (500, 100), ACK, b"pong\r\n");
        assert_eq!(passed[0], "server 0:po");
        assert!(passed[1].starts_with("reset hits in "), "{passed:?}");
        assert_eq!(passed[2..], ["server RST", "client RST"]);
        assert!(pass(&mut connection, End::Client, (100, 502), ACK, b"ping").is_empty(), "nothing passes after it");
        assert_eq!((connection.phase(), connection.is_waiting), (Phase::Closed, false));
    }

    #[test]
    fn byte_0_is_reached_with_the_acknowledgement_of_the_client_by_both_ends() {
        for from in [End::Client, End::Server] {
            let mut connection = attempt(&[fault(from, 0, FaultKind::Stall { ms: 9 })]);
            pass(&mut connection, End::Client, (99, 0), SYN, b"");
            assert_eq!(pass(&mut connection, End::Server, (499, 100), SYN_ACK, b"").len(), 1, "{from:?}");
            let passed = pass(&mut connection, End::Client, (100, 500), ACK, b"");
            assert!(passed.contains(&"stall hits in Connecting".to_owned()), "{from:?}: {passed:?}");
            assert!(passed.contains(&"client 0:".to_owned()), "{from:?}: {passed:?}");
        }
    }

    #[test]
    fn a_late_fault_splits_nothing_and_happens_to_a_connection_that_is_open() {
        let late = Fault { after_ms: 40, ..fault(End::Client, 2, FaultKind::Blackhole) };
        let mut connection = established(&[late]);
        let passed = pass(&mut connection, End::Client, (100, 500), ACK, b"ping\r\n");
        assert_eq!(passed, ["later blackhole", "client 0:ping/"]);
        let happened = connection.happen_late(late, Instant::now()).expect("it is open");
        assert_eq!(steps(happened), ["blackhole hits in Request"]);
        assert!(connection.happen_late(late, Instant::now()).is_none(), "it is closed");
    }

    #[test]
    fn a_repeated_fin_is_acknowledged_again_and_bytes_that_have_arrived_are_not_sent_again() {
        let mut connection = established(&[]);
        pass(&mut connection, End::Client, (100, 500), ACK, b"ping\r\n");
        pass(&mut connection, End::Server, (500, 106), ACK, b"pong\r\n");
        assert_eq!(pass(&mut connection, End::Client, (103, 500), ACK, b"g\r\nPING"), ["client 6:PING"]);
        pass(&mut connection, End::Client, (110, 506), FIN, b"\r\n");
        pass(&mut connection, End::Server, (506, 113), ACK, b"");
        assert_eq!(pass(&mut connection, End::Client, (110, 506), FIN, b"\r\n"), ["server 6:"]);
    }

    #[test]
    fn an_attempt_is_refused_or_hangs_or_finds_the_backlog_full() {
        let of = |kind| pass(&mut attempt(&[fault(End::Client, 7, kind)]), End::Client, (99, 0), SYN, b"");
        assert_eq!(of(FaultKind::Refuse), ["refuse hits in Connecting", "server RST"]);
        assert_eq!(of(FaultKind::Hang), ["hang hits in Connecting"]);
        let mut full = attempt(&[]);
        let syn = || packet_of(End::Client, (99, 0), SYN, b"");
        let passed = full.pass(syn(), End::Client, true, Instant::now());
        assert_eq!(steps(passed), ["full backlog hits in Connecting", "server RST"]);
        // A repeated SYN waits in the backlog already.
        let mut waiting = attempt(&[]);
        waiting.pass(syn(), End::Client, false, Instant::now());
        assert_eq!(steps(waiting.pass(syn(), End::Client, true, Instant::now())), ["client SYN -1:"]);
    }

    #[test]
    fn a_write_side_is_shut_down_once_by_a_fault_and_not_if_the_component_did() {
        let later = Fault { after_ms: 9, ..fault(End::Client, 1, FaultKind::HalfClose) };
        let faults = [
            later,
            fault(End::Client, 8, FaultKind::HalfClose),
            fault(End::Client, 5, FaultKind::HalfClose),
            fault(End::Client, 2, FaultKind::Stall { ms: 9 }),
            fault(End::Server, 3, FaultKind::HalfClose),
        ];
        let mut connection = established(&faults);
        assert_eq!(
            (connection.half_closes_after(End::Client), connection.half_closes_after(End::Server)),
            (Some(5), Some(3))
        );
        assert!(!connection.take_half_close(End::Client), "its byte is not reached");
        connection.half_close_before(End::Client);
        assert_eq!(connection.half_closes_after(End::Client), Some(8));
        assert!(connection.take_half_close(End::Client) && !connection.take_half_close(End::Client));
        let passed = pass(&mut connection, End::Client, (100, 500), FIN, b"");
        assert_eq!(passed, ["half-close hits in Idle", "client 0: FIN"]);
        connection.shut(End::Server);
        connection.half_close_before(End::Server);
        assert!(!connection.take_half_close(End::Server), "the component was first");
        let mut dropped = established(&faults);
        dropped.drop_end(End::Client);
        dropped.half_close_before(End::Client);
        assert!(!dropped.take_half_close(End::Client), "its stream is gone");
    }

    #[test]
    fn new_bytes_for_a_dropped_stream_are_unwanted() {
        let mut connection = established(&[]);
        let unwanted = |connection: &Connection, seq, text: &[u8]| {
            let packet = packet_of(End::Server, (seq, 100), ACK, text);
            let Transport::Tcp(segment) = &packet.payload else { panic!("not a segment") };
            connection.is_unwanted(segment, End::Server)
        };
        assert!(!unwanted(&connection, 500, b"pong"), "its stream is there");
        connection.drop_end(End::Client);
        assert!(unwanted(&connection, 500, b"p") && !unwanted(&connection, 500, b""));
        pass(&mut connection, End::Client, (100, 504), ACK, b"");
        assert!(!unwanted(&connection, 500, b"pong") && unwanted(&connection, 500, b"pong!"));
        let [first, second] = connection.refuse_data(End::Server);
        assert_eq!([sent(&first), sent(&second)], ["server RST", "client RST"]);
        assert_eq!(connection.phase(), Phase::Closed);
    }

    #[test]
    fn packets_keep_their_order_and_wait_while_the_connection_is_stalled() {
        let now = Instant::now();
        let after = |ms| now + Duration::from_millis(ms);
        let mut connection = established(&[]);
        assert_eq!(connection.arrival(End::Client, after(5)), after(5));
        assert_eq!(connection.arrival(End::Client, after(3)), after(5), "no earlier than the one before it");
        assert_eq!(connection.arrival(End::Server, after(3)), after(3), "each end has its own order");
        connection.stall(after(40));
        connection.stall(after(20));
        assert_eq!(connection.arrival(End::Server, after(6)), after(40));
        assert_eq!(connection.arrival(End::Client, after(50)), after(50));
        connection.end_faults(after(30));
        assert_eq!(connection.arrival(End::Server, after(6)), after(30));
        assert_eq!(connection.arrival(End::Client, after(6)), after(30));
    }

    #[test]
    fn each_packet_of_an_end_has_a_latency_of_its_own() {
        let mut connection = attempt(&[]);
        let choices: Vec<String> =
            [End::Client, End::Client, End::Server].map(|end| format!("{:?}", connection.latency(end))).into();
        assert!(choices[0] != choices[1] && choices[0] != choices[2] && choices[1] != choices[2], "{choices:?}");
    }

    #[test]
    fn a_fin_waits_for_its_stream_for_some_turns() {
        let mut connection = attempt(&[]);
        assert_eq!([(); 4].map(|()| connection.waits_for_stream(3)), [true, true, true, false]);
    }
}
