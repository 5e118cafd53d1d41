//! One connection as the wire sees it: bytes counted, each once, and the faults that happen at one of them.
//!
//! It knows packets and nothing else: no link, no latency. What it gives back is what goes on its way in a packet's
//! place.

use std::iter;
use std::net::SocketAddr;

use bytes::Bytes;
use turmoil_net::{Packet, TcpFlags, TcpSegment, Transport};

use super::dialogue::{Dialogue, Phase};
use super::fault::{End, Fault, FaultKind};
use super::frames::Frames;
use super::link::Link;
use super::side::{Range, Side, Words};
use crate::random::Choice;
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

impl Pair {
    /// RST from this end to the other, and back.
    fn resets(self, from: End) -> [Packet; 2] {
        let (own, other) = match from {
            End::Client => (self.client, self.server),
            End::Server => (self.server, self.client),
        };
        [reset_from(own, other), reset_from(other, own)]
    }
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
    /// Packets that each end has put on the link.
    sent: [u32; 2],
    sides: [Side; 2],
    /// Nothing of it passes any more.
    pub(super) is_cut: bool,
    dialogue: Dialogue,
    /// It was tried, and nobody has accepted it, nor was it reset.
    pub(super) is_waiting: bool,
    /// The faults that have happened, by their place in the plan.
    happened: Vec<usize>,
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
    /// What becomes of the link, and for how many milliseconds, before the packets go on their way.
    pub(super) breaks: Option<(Link, u32)>,
    /// The fault that is to happen later, and when.
    pub(super) late: Option<(Instant, Fault)>,
}

/// A fault that has hit a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    pub(super) fault: &'static str,
    pub(super) phase: Phase,
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
            sent: [0; 2],
            sides,
            dialogue: Dialogue::new(has_handshake),
            is_cut: false,
            is_waiting: false,
            happened: Vec::new(),
        }
    }

    /// The choice of the latency of this end's next packet.
    pub(super) fn latency(&mut self, end: End) -> Choice {
        let sent = &mut self.sent[end.index()];
        *sent += 1;
        Choice::Latency { connection: self.number, end: end.index(), nth: *sent }
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
        let played = played.map(|fault| Hit { fault, phase: before });
        let mut hits: Vec<Hit> = played.filter(|_| before != Phase::Closed).collect();
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
            self.is_waiting = false;
            self.dialogue.end();
            words.say(|| String::from("RST"));
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
        self.strike(fault.kind, now);
        let packets = self.remains(fault.kind, packet, from, (passes - start) as usize);
        Passed { packets, told: words.said, hits, breaks: fault.kind.breaks(), late: None }
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
                Passed {
                    packets: self.pair.resets(from)[1..].to_vec(),
                    told,
                    hits: hit(FaultKind::Refuse),
                    ..Passed::default()
                }
            }
            Some(_) => Passed { packets: Vec::new(), told, hits: hit(FaultKind::Hang), ..Passed::default() },
            None if is_refused => {
                self.dialogue.end();
                let hits = vec![Hit { fault: "full backlog", phase: Phase::Connecting }];
                Passed { packets: self.pair.resets(from)[1..].to_vec(), told, hits, ..Passed::default() }
            }
            None => {
                self.is_waiting |= is_first && from == End::Client;
                Passed { packets: vec![packet], told, ..Passed::default() }
            }
        }
    }

    /// What a fault makes of the connection.
    fn strike(&mut self, kind: FaultKind, now: Instant) {
        if let FaultKind::Stall { ms } = kind {
            self.stalled_until = Some(now + Duration::from_millis(u64::from(ms)));
        }
        if kind.ends_traffic() {
            self.is_cut = true;
            self.dialogue.end();
        }
    }

    /// What goes on its way of a packet that is hit, of whose payload so much passes.
    fn remains(&self, kind: FaultKind, mut packet: Packet, from: End, passes: usize) -> Vec<Packet> {
        if !kind.ends_traffic() {
            return vec![packet];
        }
        if let Transport::Tcp(segment) = &mut packet.payload {
            segment.payload.truncate(passes);
            segment.flags.fin = false;
        }
        match kind {
            FaultKind::Reset => iter::once(packet).chain(self.pair.resets(from)).collect(),
            _ => vec![packet],
        }
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

    /// Data that nobody reads end it: RST to the end that is not there, and to the one that sends.
    pub(super) fn refuse_data(&mut self, from: End) -> [Packet; 2] {
        self.dialogue.end();
        self.pair.resets(from)
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
        self.strike(kind, now);
        let packets = if kind == FaultKind::Reset { self.pair.resets(End::Client).to_vec() } else { Vec::new() };
        let told = Some(format!("{kind} {}", fault.when()));
        let hits = vec![Hit { fault: kind.name(), phase }];
        Some(Passed { packets, told, hits, breaks: kind.breaks(), late: None })
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

/// RST, to one end as if the other had sent it.
pub(super) fn reset_from(source: SocketAddr, destination: SocketAddr) -> Packet {
    let flags = TcpFlags { rst: true, ack: true, ..TcpFlags::default() };
    let (src_port, dst_port) = (source.port(), destination.port());
    let segment = TcpSegment { src_port, dst_port, seq: 0, ack: 0, flags, window: 0, payload: Bytes::new() };
    Packet { src: source.ip(), dst: destination.ip(), ttl: TTL, payload: Transport::Tcp(segment) }
}
