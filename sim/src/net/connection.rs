//! One connection as the wire sees it: bytes counted, each once, and the faults that happen at one of them.
//!
//! It knows packets and nothing else: no link, no latency. What it gives back is what goes on its way in a packet's place.

use std::net::SocketAddr;

use bytes::Bytes;
use turmoil_net::{Packet, TcpFlags, TcpSegment, Transport};

use super::fault::{End, Fault, FaultKind};
use super::frames::{Frames, Reader};
use crate::run;
use crate::time::{Duration, Instant};

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
    /// Until when its packets wait.
    pub(super) stalled_until: Option<Instant>,
    sides: [Side; 2],
    /// Nothing of it passes any more.
    is_cut: bool,
    /// It was tried, and nobody has accepted it, nor was it reset.
    pub(super) is_waiting: bool,
    /// The faults that have happened, by their place in the plan.
    happened: Vec<usize>,
}

/// One direction: the bytes of one end.
#[derive(Debug)]
struct Side {
    /// The sequence number of its first byte.
    first: Option<u32>,
    /// Bytes of it that went by.
    bytes: u64,
    /// What the other end has acknowledged, as a sequence number.
    acknowledged: Option<u32>,
    /// The last acknowledgement that this end has sent, without a payload.
    last_ack: Option<Packet>,
    reader: Option<Reader>,
}

/// What becomes of a packet.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// What goes on its way, in order.
    pub(super) packets: Vec<Packet>,
    /// What a table says of it, if there is anything to say; no text if nobody is going to read it.
    pub(super) told: Option<String>,
}

/// Where the bytes of a segment lie among its side's, and how many of them pass.
#[derive(Clone, Copy, Debug)]
struct Range {
    start: u64,
    passes: u64,
}

impl Side {
    fn new(frames: Frames) -> Side {
        Side { first: None, bytes: 0, acknowledged: None, last_ack: None, reader: Reader::of(frames) }
    }

    /// Whether the other end has all of this segment's bytes, and has said so.
    fn is_repeated(&self, segment: &TcpSegment) -> bool {
        let ahead = self.acknowledged.map(|acknowledged| acknowledged.wrapping_sub(segment.seq) as i32);
        let length = i32::try_from(segment.payload.len()).unwrap_or(i32::MAX);
        length > 0 && ahead.is_some_and(|ahead| ahead >= length)
    }

    /// Counts what is new of a segment, and says what it is.
    fn count(&mut self, segment: &TcpSegment, range: Range, words: &mut Words) {
        if range.passes <= self.bytes {
            return;
        }
        let from = self.bytes.saturating_sub(range.start) as usize;
        let to = (range.passes - range.start) as usize;
        self.bytes = range.passes;
        let Some(fresh) = segment.payload.get(from..to).filter(|fresh| !fresh.is_empty()) else { return };
        let reader = &mut self.reader;
        words.say(|| match reader {
            None => format!("{} bytes", fresh.len()),
            Some(reader) => {
                let frames = reader.read(fresh);
                if frames.is_empty() { format!("{} bytes of more", fresh.len()) } else { frames.join(", ") }
            }
        });
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
    pub(super) fn new(number: u32, frames: Frames) -> Connection {
        let sides = [Side::new(frames), Side::new(frames)];
        Connection { number, stalled_until: None, sides, is_cut: false, is_waiting: false, happened: Vec::new() }
    }

    /// A packet of this end is about to leave its host.
    pub(super) fn pass(&mut self, packet: Packet, from: End, faults: &[Fault], now: Instant) -> Passed {
        let mut words = Words { is_read: run::with(|run| run.trace.recording()).unwrap_or(false), said: None };
        let Transport::Tcp(segment) = &packet.payload else { return Passed::of(packet) };
        if self.is_cut {
            return Passed::default();
        }
        if segment.flags.syn {
            return self.pass_syn(packet, from, faults, false);
        }
        let [client, server] = &mut self.sides;
        let (side, other) = match from {
            End::Client => (client, server),
            End::Server => (server, client),
        };
        if segment.flags.ack && !segment.flags.rst {
            side.last_ack = Some(bare_ack(&packet, segment));
            other.acknowledged = Some(segment.ack);
        }
        // turmoil-net does not acknowledge again what it has: a lost acknowledgement would be the end of the connection.
        if side.is_repeated(segment) {
            return Passed { packets: other.last_ack.clone().into_iter().collect(), told: None };
        }
        let start = u64::from(segment.seq.wrapping_sub(side.first.unwrap_or(segment.seq)));
        let end = start + segment.payload.len() as u64;
        let reached = end.max(side.bytes);
        let due = due(self.number, &self.happened, faults, from, reached);
        let passes = match due {
            Some((_, fault)) if fault.kind.ends_traffic() => fault.after_bytes.max(start).min(end),
            _ => end,
        };
        side.count(segment, Range { start, passes }, &mut words);
        let flags = segment.flags;
        if flags.fin && passes == end {
            words.say(|| String::from("FIN"));
        }
        if flags.rst {
            words.say(|| String::from("RST"));
        }
        self.is_waiting &= !flags.rst;
        let Some((nth, fault)) = due else { return Passed { packets: vec![packet], told: words.said } };
        self.happened.push(nth);
        words.say(|| format!("{} after {} bytes", fault.kind, fault.after_bytes));
        let packets = self.happen(fault.kind, packet, (passes - start) as usize, now);
        Passed { packets, told: words.said }
    }

    /// The attempt, or its answer. It is refused if the listener has as many waiting as it takes: its kernel would say
    /// nothing, and the attempt time out.
    pub(super) fn pass_syn(&mut self, packet: Packet, from: End, faults: &[Fault], is_refused: bool) -> Passed {
        let Transport::Tcp(segment) = &packet.payload else { return Passed::of(packet) };
        let side = &mut self.sides[usize::from(from == End::Server)];
        let is_first = side.first.replace(segment.seq.wrapping_add(1)).is_none();
        let told = is_first.then(|| String::from("SYN"));
        let of_attempt = |fault: &&Fault| {
            from == End::Client
                && fault.connection == self.number
                && matches!(fault.kind, FaultKind::Refuse | FaultKind::Hang)
        };
        match faults.iter().find(of_attempt).map(|fault| fault.kind) {
            Some(FaultKind::Refuse) => Passed { packets: vec![reset_in_answer(&packet, segment)], told },
            Some(_) => Passed { packets: Vec::new(), told },
            None if is_refused => Passed { packets: vec![reset_in_answer(&packet, segment)], told },
            None => {
                self.is_waiting |= is_first && from == End::Client;
                Passed { packets: vec![packet], told }
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

    /// After how many of its bytes this end shuts its write side, if a fault says so.
    pub(super) fn finishes_after(&self, from: End, faults: &[Fault]) -> Option<u64> {
        let finishes =
            |fault: &&Fault| fault.connection == self.number && fault.from == from && fault.kind == FaultKind::Finish;
        faults.iter().find(finishes).map(|fault| fault.after_bytes)
    }
}

impl Passed {
    fn of(packet: Packet) -> Passed {
        Passed { packets: vec![packet], told: None }
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

/// Such a segment, to whoever sent `packet`.
fn reset_in_answer(packet: &Packet, segment: &TcpSegment) -> Packet {
    let payload = Transport::Tcp(reset(segment.dst_port, segment.src_port));
    Packet { src: packet.dst, dst: packet.src, ttl: packet.ttl, payload }
}
