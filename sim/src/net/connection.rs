//! One connection as the wire sees it: bytes counted, each once, and the faults that happen at one of them.
//!
//! It knows packets and nothing else: no link, no latency. What it gives back is what goes on its way in a packet's
//! place.

use std::net::SocketAddr;

use bytes::Bytes;
use turmoil_net::{Packet, TcpFlags, TcpSegment, Transport};

use super::dialogue::{Dialogue, Phase};
use super::fault::{End, Fault, FaultKind};
use super::frames::{Frames, Reader, Role};
use crate::run;
use crate::time::{Duration, Instant};

/// Hops that a packet of the wire's own may take.
const TTL: u8 = 64;

/// The addresses of both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
}

/// What is known of a connection from its packets.
#[derive(Debug)]
pub(super) struct Connection {
    /// Which attempt of the network it is.
    pub(super) number: u32,
    pub(super) pair: Pair,
    /// Until when its packets wait.
    stalled_until: Option<Instant>,
    /// When the last packet of each end arrives: none overtakes another.
    last: [Option<Instant>; 2],
    sides: [Side; 2],
    /// Nothing of it passes any more.
    pub(super) is_cut: bool,
    dialogue: Dialogue,
    /// It was tried, and nobody has accepted it, nor was it reset.
    pub(super) is_waiting: bool,
    /// The faults that have happened, by their place in the plan.
    happened: Vec<usize>,
}

/// One direction: the bytes of one end.
#[derive(Debug)]
struct Side {
    end: End,
    /// The sequence number of its first byte.
    first: Option<u32>,
    /// Bytes of it that went by.
    bytes: u64,
    /// What the other end has acknowledged, as a sequence number.
    acknowledged: Option<u32>,
    /// The last acknowledgement that this end has sent, without a payload.
    last_ack: Option<Packet>,
    reader: Option<Reader>,
    /// The FIN that it is about to say is a fault's.
    is_told_to_finish: bool,
    /// Its stream was dropped: nobody reads what arrives for it.
    is_dropped: bool,
}

/// What becomes of a packet.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// What goes on its way, in order.
    pub(super) packets: Vec<Packet>,
    /// What a table says of it, if there is anything to say; no text if nobody is going to read it.
    pub(super) told: Option<String>,
    /// The faults that have hit with it.
    pub(super) hits: Vec<Hit>,
    /// What becomes of the link, before the packets go on their way.
    pub(super) breaks: Option<FaultKind>,
    /// The fault that is to happen later, and when.
    pub(super) late: Option<(Instant, Fault)>,
}

/// A fault that has hit a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) fault: &'static str,
    pub(super) phase: Phase,
}

/// Where the bytes of a segment lie among its side's, and how many of them pass.
#[derive(Clone, Copy, Debug)]
struct Range {
    start: u64,
    passes: u64,
}

impl Side {
    fn new(frames: Frames, end: End) -> Side {
        let reader = Reader::of(frames, end);
        Side {
            end,
            first: None,
            bytes: 0,
            acknowledged: None,
            last_ack: None,
            reader,
            is_told_to_finish: false,
            is_dropped: false,
        }
    }

    /// How many of its bytes the other end has.
    fn arrived(&self) -> u64 {
        match (self.acknowledged, self.first) {
            (Some(acknowledged), Some(first)) => u64::from(acknowledged.wrapping_sub(first)),
            _ => 0,
        }
    }

    fn has_handshake(&self) -> bool {
        self.reader.as_ref().is_some_and(Reader::has_handshake)
    }

    fn is_within_a_frame(&self) -> bool {
        self.reader.as_ref().is_some_and(Reader::is_within)
    }

    /// How far the other end is beyond the start of this segment, if it is.
    fn ahead(&self, segment: &TcpSegment) -> Option<usize> {
        let ahead = self.acknowledged.map(|acknowledged| acknowledged.wrapping_sub(segment.seq) as i32);
        ahead.and_then(|ahead| usize::try_from(ahead).ok())
    }

    /// Whether the other end has all of this segment, and has said so.
    fn is_repeated(&self, segment: &TcpSegment) -> bool {
        let length = segment.payload.len() + usize::from(segment.flags.fin);
        length > 0 && self.ahead(segment).is_some_and(|ahead| ahead >= length)
    }

    /// Takes away what the other end has of a segment that it does not have all of: turmoil-net drops what does not
    /// begin with its next byte.
    fn trim(&self, segment: &mut TcpSegment) {
        if let Some(ahead) = self.ahead(segment).filter(|ahead| *ahead <= segment.payload.len()) {
            segment.payload = segment.payload.slice(ahead..);
            segment.seq = segment.seq.wrapping_add(u32::try_from(ahead).unwrap_or(0));
        }
    }

    /// Counts what is new of a segment, and says what it is: the roles of its frames.
    fn count(&mut self, segment: &TcpSegment, range: Range, words: &mut Words) -> Vec<Role> {
        if range.passes <= self.bytes {
            return Vec::new();
        }
        let from = self.bytes.saturating_sub(range.start) as usize;
        let to = (range.passes - range.start) as usize;
        self.bytes = range.passes;
        let Some(fresh) = segment.payload.get(from..to).filter(|fresh| !fresh.is_empty()) else {
            return Vec::new();
        };
        let read = self.reader.as_mut().map(|reader| reader.read(fresh, words.is_read));
        words.say(|| match &read {
            None => format!("{} bytes", fresh.len()),
            Some(read) if read.names.is_empty() => format!("{} bytes of more", fresh.len()),
            Some(read) => read.names.join(", "),
        });
        let whole = match self.end {
            End::Client => Role::Request,
            End::Server => Role::Response { answers: 1 },
        };
        read.map_or_else(|| vec![whole], |read| read.roles)
    }
}

/// The text of a row, put together only if the run is recorded: that there is a row must not depend on it.
struct Words {
    is_read: bool,
    said: Option<String>,
}

impl Words {
    fn say(&mut self, text: impl FnOnce() -> String) {
        let said = self.said.get_or_insert_default();
        if self.is_read {
            let text = text();
            said.push_str(if said.is_empty() { "" } else { ", " });
            said.push_str(&text);
        }
    }
}

impl Connection {
    pub(super) fn new(number: u32, pair: Pair, frames: Frames) -> Connection {
        let sides = [Side::new(frames, End::Client), Side::new(frames, End::Server)];
        let has_handshake = sides.iter().any(Side::has_handshake);
        Connection {
            number,
            pair,
            stalled_until: None,
            last: [None; 2],
            sides,
            dialogue: Dialogue::new(has_handshake),
            is_cut: false,
            is_waiting: false,
            happened: Vec::new(),
        }
    }

    /// When a packet of this end arrives that would at that moment.
    pub(super) fn arrival(&mut self, from: End, at: Instant) -> Instant {
        let last = &mut self.last[from.index()];
        let at = [*last, self.stalled_until].into_iter().flatten().fold(at, Instant::max);
        *last = Some(at);
        at
    }

    /// In which phase it is.
    pub(super) fn phase(&self) -> Phase {
        let [client, server] = &self.sides;
        self.dialogue.phase(client.is_within_a_frame(), server.is_within_a_frame(), server.arrived())
    }

    /// A packet of this end is about to leave its host, be it to get lost: what it acknowledges has arrived.
    pub(super) fn acknowledge(&mut self, packet: &Packet, from: End) {
        let Transport::Tcp(segment) = &packet.payload else { return };
        if segment.flags.ack && !segment.flags.rst && !segment.flags.syn {
            self.sides[from.index()].last_ack = Some(bare_ack(packet, segment));
            self.sides[from.other().index()].acknowledged = Some(segment.ack);
        }
    }

    /// A packet of this end is about to leave its host, and does.
    pub(super) fn pass(&mut self, mut packet: Packet, from: End, faults: &[Fault], now: Instant) -> Passed {
        let mut words = Words { is_read: run::with(|run| run.trace.recording()).unwrap_or(false), said: None };
        if self.is_cut {
            return Passed::default();
        }
        self.acknowledge(&packet, from);
        let Transport::Tcp(segment) = &mut packet.payload else { return Passed::of(packet) };
        if segment.flags.syn {
            return self.pass_syn(packet, from, faults, false);
        }
        self.sides[from.index()].trim(segment);
        let before = self.phase();
        if from == End::Client && segment.flags.ack {
            self.dialogue.establish();
        }
        let [client, server] = &mut self.sides;
        let (side, other) = match from {
            End::Client => (client, server),
            End::Server => (server, client),
        };
        // turmoil-net does not acknowledge again what it has: a lost acknowledgement would be the end of the
        // connection.
        if side.is_repeated(segment) {
            return Passed { packets: other.last_ack.clone().into_iter().collect(), ..Passed::default() };
        }
        let start = u64::from(segment.seq.wrapping_sub(side.first.unwrap_or(segment.seq)));
        let end = start + segment.payload.len() as u64;
        let reached = end.max(side.bytes);
        // Nothing can go wrong with what is over.
        let due = due(self.number, &self.happened, faults, from, reached).filter(|_| before != Phase::Closed);
        let passes = match due {
            Some((_, fault)) if fault.kind.ends_traffic() && fault.after_ms == 0 => {
                fault.after_bytes.max(start).min(end)
            }
            _ => end,
        };
        let roles = side.count(segment, Range { start, passes }, &mut words);
        let bytes = side.bytes;
        let played = roles.into_iter().filter_map(|role| self.dialogue.play(from, role, bytes));
        let mut hits: Vec<Hit> = played.map(|fault| Hit { fault, phase: before }).collect();
        hits.retain(|_| before != Phase::Closed);
        // Up to its bytes, and before the FIN that may follow them.
        let reached = self.phase();
        let flags = segment.flags;
        if flags.fin && passes == end {
            if std::mem::take(&mut self.sides[from.index()].is_told_to_finish) && before != Phase::Closed {
                hits.push(Hit { fault: FaultKind::Finish.name(), phase: reached });
            }
            self.dialogue.finish(from);
            words.say(|| String::from("FIN"));
        }
        if flags.rst {
            words.say(|| String::from("RST"));
        }
        self.is_waiting &= !flags.rst;
        if flags.rst {
            self.dialogue.end();
        }
        let Some((nth, fault)) = due else {
            return Passed { packets: vec![packet], told: words.said, hits, ..Passed::default() };
        };
        self.happened.push(nth);
        if fault.after_ms > 0 {
            let late = Some((now + Duration::from_millis(u64::from(fault.after_ms)), fault));
            return Passed { packets: vec![packet], told: words.said, hits, late, breaks: None };
        }
        // A fault at the first byte of all comes before what its packet brings about.
        let phase = if fault.after_bytes == 0 { before } else { reached };
        hits.push(Hit { fault: fault.kind.name(), phase });
        words.say(|| format!("{} {}", fault.kind, fault.when()));
        let packets = self.happen(fault.kind, packet, (passes - start) as usize, now);
        Passed { packets, told: words.said, hits, breaks: fault.kind.breaks_link().then_some(fault.kind), late: None }
    }

    /// The attempt, or its answer. It is refused if the listener has as many waiting as it takes: its kernel would say
    /// nothing, and the attempt time out.
    pub(super) fn pass_syn(&mut self, packet: Packet, from: End, faults: &[Fault], is_refused: bool) -> Passed {
        let Transport::Tcp(segment) = &packet.payload else { return Passed::of(packet) };
        let side = &mut self.sides[from.index()];
        let is_first = side.first.replace(segment.seq.wrapping_add(1)).is_none();
        let told = is_first.then(|| String::from("SYN"));
        let hit = |fault: FaultKind| vec![Hit { fault: fault.name(), phase: Phase::Connecting }];
        let of_attempt = |fault: &&Fault| {
            from == End::Client
                && fault.connection == self.number
                && matches!(fault.kind, FaultKind::Refuse | FaultKind::Hang)
        };
        match faults.iter().find(of_attempt).map(|fault| fault.kind) {
            Some(FaultKind::Refuse) => {
                self.dialogue.end();
                let packets = vec![reset_in_answer(&packet, segment)];
                Passed { packets, told, hits: hit(FaultKind::Refuse), ..Passed::default() }
            }
            Some(_) => Passed { packets: Vec::new(), told, hits: hit(FaultKind::Hang), ..Passed::default() },
            None if is_refused => {
                self.dialogue.end();
                let packets = vec![reset_in_answer(&packet, segment)];
                let hits = vec![Hit { fault: "full backlog", phase: Phase::Connecting }];
                Passed { packets, told, hits, ..Passed::default() }
            }
            None => {
                self.is_waiting |= is_first && from == End::Client;
                Passed { packets: vec![packet], told, ..Passed::default() }
            }
        }
    }

    /// The fault happens to this packet, of whose payload so much passes.
    fn happen(&mut self, kind: FaultKind, mut packet: Packet, passes: usize, now: Instant) -> Vec<Packet> {
        if let FaultKind::Stall { ms } = kind {
            self.stalled_until = Some(now + Duration::from_millis(u64::from(ms)));
        }
        if !kind.ends_traffic() {
            return vec![packet];
        }
        self.is_cut = true;
        self.dialogue.end();
        let Transport::Tcp(segment) = &mut packet.payload else { return vec![packet] };
        segment.payload.truncate(passes);
        segment.flags.fin = false;
        if kind == FaultKind::Cut {
            return vec![packet];
        }
        let end = reset(segment.src_port, segment.dst_port);
        let back = reset_in_answer(&packet, &end);
        let onward = Packet { payload: Transport::Tcp(end), ..packet.clone() };
        vec![packet, onward, back]
    }

    /// The FIN that this end is about to say is a fault's.
    pub(super) fn told_to_finish(&mut self, end: End) {
        self.sides[end.index()].is_told_to_finish = true;
    }

    /// The stream of this end was dropped.
    pub(super) fn drop_end(&mut self, end: End) {
        self.sides[end.index()].is_dropped = true;
    }

    /// Whether these are new bytes of `from` for a stream that was dropped: nobody will read them.
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

    /// RST to both ends: to the one that sends what nobody reads, and to the one that is not there.
    pub(super) fn refuse_data(&mut self, packet: &Packet, segment: &TcpSegment) -> [Packet; 2] {
        self.dialogue.end();
        let end = reset(segment.src_port, segment.dst_port);
        let back = reset_in_answer(packet, segment);
        [back, Packet { payload: Transport::Tcp(end), ..packet.clone() }]
    }

    /// A packet of this end gets lost.
    pub(super) fn lose(&mut self, packet: &Packet, from: End) {
        self.acknowledge(packet, from);
        if let Some(Packet { payload: Transport::Tcp(segment), .. }) = &mut self.sides[from.index()].last_ack {
            segment.window = 0;
        }
    }

    /// Whether an end was told of little room, of this size when it is all free.
    pub(super) fn waits(&self, window: u16) -> bool {
        self.sides.iter().filter_map(|side| side.last_ack.as_ref()).any(|packet| match &packet.payload {
            Transport::Tcp(segment) => segment.window < window.div_ceil(2),
            _ => false,
        })
    }

    /// Acknowledgements that say of room what the ends have not: those whose buffers, of this size, were more than half
    /// full and are not any more, by the number of bytes in a socket's.
    pub(super) fn open_windows(&mut self, window: u16, filled: impl Fn(SocketAddr, SocketAddr) -> u16) -> Vec<Packet> {
        let enough = window.div_ceil(2);
        let mut opened = Vec::new();
        for packet in self.sides.iter_mut().filter_map(|side| side.last_ack.as_mut()) {
            let (source, destination) = (packet.src, packet.dst);
            let Transport::Tcp(segment) = &mut packet.payload else { continue };
            if segment.window >= enough {
                continue;
            }
            let local = SocketAddr::new(source, segment.src_port);
            let room = window.saturating_sub(filled(local, SocketAddr::new(destination, segment.dst_port)));
            if room >= enough {
                segment.window = room;
                opened.push(packet.clone());
            }
        }
        opened
    }

    /// What tells the ends that wait for room of as much as there can be, and of nothing else: it acknowledges nothing
    /// that was not before.
    pub(super) fn probes(&mut self, window: u16) -> Vec<Packet> {
        let firsts = [self.sides[1].first, self.sides[0].first];
        let mut probes = self.open_windows(window, |_, _| 0);
        for packet in &mut probes {
            let Transport::Tcp(segment) = &mut packet.payload else { continue };
            let is_of_client = SocketAddr::new(packet.src, segment.src_port) == self.pair.client;
            let first = firsts[usize::from(!is_of_client)];
            segment.ack = first.unwrap_or(segment.ack);
        }
        probes
    }

    /// The fault happens between two packets: what goes on its way. None if there is nothing left for it to happen to.
    pub(super) fn happen_late(&mut self, fault: &Fault, now: Instant) -> Option<Passed> {
        let phase = self.phase();
        if phase == Phase::Closed {
            return None;
        }
        let kind = fault.kind;
        if let FaultKind::Stall { ms } = kind {
            self.stalled_until = Some(now + Duration::from_millis(u64::from(ms)));
        }
        let mut packets = Vec::new();
        if kind.ends_traffic() {
            self.is_cut = true;
            self.dialogue.end();
        }
        if kind == FaultKind::Reset {
            let Pair { client, server } = self.pair;
            packets.extend([reset_from(client, server), reset_from(server, client)]);
        }
        let told = Some(format!("{kind} {}", fault.when()));
        let breaks = kind.breaks_link().then_some(kind);
        Some(Passed { packets, told, hits: vec![Hit { fault: kind.name(), phase }], breaks, late: None })
    }

    /// The fault by which this end shuts its write side, if there is one.
    pub(super) fn finish(&self, from: End, faults: &[Fault]) -> Option<Fault> {
        let finishes =
            |fault: &Fault| fault.connection == self.number && fault.from == from && fault.kind == FaultKind::Finish;
        faults.iter().copied().find(finishes)
    }
}

impl Passed {
    fn of(packet: Packet) -> Passed {
        Passed { packets: vec![packet], ..Passed::default() }
    }
}

/// The first fault of the plan that has not happened and whose byte is reached.
fn due(number: u32, happened: &[usize], faults: &[Fault], from: End, reached: u64) -> Option<(usize, Fault)> {
    let open = faults.iter().copied().enumerate().filter(|(nth, fault)| {
        let is_own = fault.connection == number && fault.from == from && fault.kind.is_on_the_wire();
        is_own && fault.after_bytes <= reached && !happened.contains(nth)
    });
    open.min_by_key(|(_, fault)| fault.after_bytes)
}

fn bare_ack(packet: &Packet, segment: &TcpSegment) -> Packet {
    let flags = TcpFlags { ack: true, ..TcpFlags::default() };
    let payload = Transport::Tcp(TcpSegment { payload: Bytes::new(), flags, ..segment.clone() });
    Packet { payload, ..packet.clone() }
}

/// A segment that ends a connection.
fn reset(src_port: u16, dst_port: u16) -> TcpSegment {
    let flags = TcpFlags { rst: true, ack: true, ..TcpFlags::default() };
    TcpSegment { src_port, dst_port, seq: 0, ack: 0, flags, window: 0, payload: Bytes::new() }
}

/// Such a segment on its way.
pub(super) fn reset_from(source: SocketAddr, destination: SocketAddr) -> Packet {
    let payload = Transport::Tcp(reset(source.port(), destination.port()));
    Packet { src: source.ip(), dst: destination.ip(), ttl: TTL, payload }
}

/// Such a segment, to whoever sent `packet`.
fn reset_in_answer(packet: &Packet, segment: &TcpSegment) -> Packet {
    let payload = Transport::Tcp(reset(segment.dst_port, segment.src_port));
    Packet { src: packet.dst, dst: packet.src, ttl: packet.ttl, payload }
}
