//! One direction of a connection as the wire sees it: the bytes of one end, each counted once and parsed into frames.

use kernel::record::End;
use turmoil_net::{Packet, TcpSegment};

use super::decoder::{Decoder, Reader};
use super::fault::Fault;
use super::packet_steps::PacketSteps;
use super::protocol::Role;

/// One direction: the bytes of one end.
#[derive(Debug)]
pub(super) struct Side {
    end: End,
    /// The sequence number of its first byte.
    pub(super) first: Option<u32>,
    /// Number of its bytes that have passed.
    pub(super) bytes: u64,
    /// The sequence number that the other end has acknowledged.
    pub(super) acknowledged: Option<u32>,
    /// The last acknowledgement that this end has sent, without a payload.
    pub(super) last_ack: Option<Packet>,
    reader: Option<Reader>,
    /// The fault that will shut down its write side, once the component has its stream.
    pub(super) to_half_close: Option<Fault>,
    /// The fault that has shut down its write side, until the FIN passes.
    pub(super) half_closed_by: Option<Fault>,
    /// Its write side is shut down.
    pub(super) is_shut: bool,
    /// Its stream was dropped: data for it has no reader.
    pub(super) is_dropped: bool,
}

/// The position of a segment's bytes in its side's stream, and the position up to which they pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamRange {
    pub(super) start: u64,
    pub(super) passes: u64,
}

impl Side {
    pub(super) fn new(decoder: Decoder, end: End) -> Side {
        let reader = Reader::of(decoder, end);
        Side {
            end,
            first: None,
            bytes: 0,
            acknowledged: None,
            last_ack: None,
            reader,
            to_half_close: None,
            half_closed_by: None,
            is_shut: false,
            is_dropped: false,
        }
    }

    /// The number of its bytes that the other end has acknowledged.
    pub(super) fn arrived(&self) -> u64 {
        match (self.acknowledged, self.first) {
            (Some(acknowledged), Some(first)) => u64::from(acknowledged.wrapping_sub(first)),
            _ => 0,
        }
    }

    pub(super) fn has_handshake(&self) -> bool {
        self.reader.as_ref().is_some_and(Reader::has_handshake)
    }

    pub(super) fn is_within_a_frame(&self) -> bool {
        self.reader.as_ref().is_some_and(Reader::is_within)
    }

    /// The number of this segment's bytes that the other end already has, if any.
    pub(super) fn ahead(&self, segment: &TcpSegment) -> Option<usize> {
        let ahead = self.acknowledged.map(|acknowledged| acknowledged.wrapping_sub(segment.seq) as i32);
        ahead.and_then(|ahead| usize::try_from(ahead).ok())
    }

    /// Whether the other end has acknowledged all of this segment.
    pub(super) fn is_repeated(&self, segment: &TcpSegment) -> bool {
        let length = segment.payload.len() + usize::from(segment.flags.fin);
        length > 0 && self.ahead(segment).is_some_and(|ahead| ahead >= length)
    }

    /// Removes the bytes that the other end already has from a segment: turmoil-net drops a segment that does not
    /// begin with its next byte.
    pub(super) fn trim(&self, segment: &mut TcpSegment) {
        if let Some(ahead) = self.ahead(segment).filter(|ahead| *ahead <= segment.payload.len()) {
            segment.payload = segment.payload.slice(ahead..);
            segment.seq = segment.seq.wrapping_add(u32::try_from(ahead).unwrap_or(0));
        }
    }

    /// Counts the new bytes of a segment; returns the roles of its frames.
    pub(super) fn count(&mut self, segment: &TcpSegment, range: StreamRange, passed: &mut PacketSteps) -> Vec<Role> {
        if range.passes <= self.bytes {
            return Vec::new();
        }
        let from = self.bytes.saturating_sub(range.start) as usize;
        let to = (range.passes - range.start) as usize;
        self.bytes = range.passes;
        let Some(fresh) = segment.payload.get(from..to).filter(|fresh| !fresh.is_empty()) else {
            return Vec::new();
        };
        let read = self.reader.as_mut().map(|reader| reader.read(fresh, passed.is_recorded()));
        passed.say(|| match &read {
            None => format!("{} bytes", fresh.len()),
            Some(read) if read.names.is_empty() => format!("{} bytes of an incomplete frame", fresh.len()),
            Some(read) => read.names.join(", "),
        });
        let whole = match self.end {
            End::Client => Role::Request,
            // All requests so far: a segment may carry several requests, and a request may span several segments.
            End::Server => Role::Response { answers: u32::MAX },
        };
        read.map_or_else(|| vec![whole], |read| read.roles)
    }
}

#[cfg(test)]
mod tests {
    use turmoil_net::{TcpFlags, Transport};

    use super::*;
    use crate::net::segment::packet_of;

    /// Bytes of the client, whose first byte has the number 100.
    fn segment(seq: u32, payload: &[u8], fin: bool) -> TcpSegment {
        match packet_of(End::Client, (seq, 0), TcpFlags { ack: true, fin, ..TcpFlags::default() }, payload).payload {
            Transport::Tcp(segment) => segment,
            other => panic!("not a segment: {other:?}"),
        }
    }

    fn side(acknowledged: Option<u32>) -> Side {
        Side { first: Some(100), acknowledged, ..Side::new(Decoder::Lines, End::Client) }
    }

    #[test]
    fn a_segment_is_repeated_if_all_of_it_is_acknowledged() {
        let side = side(Some(104));
        assert!(side.is_repeated(&segment(100, b"ping", false)) && side.is_repeated(&segment(98, b"ping", false)));
        assert!(!side.is_repeated(&segment(100, b"pings", false)), "a byte is new");
        assert!(!side.is_repeated(&segment(104, b"more", false)), "all is new");
        // A FIN counts as one byte; an acknowledgement alone has none.
        assert!(!side.is_repeated(&segment(100, b"ping", true)) && side.is_repeated(&segment(100, b"pin", true)));
        assert!(side.is_repeated(&segment(103, b"", true)) && !side.is_repeated(&segment(104, b"", true)));
        assert!(!side.is_repeated(&segment(100, b"", false)));
        assert!(!super::tests::side(None).is_repeated(&segment(100, b"ping", false)), "nothing is acknowledged");
    }

    #[test]
    fn the_bytes_that_the_other_end_has_are_cut_off() {
        let trimmed = |acknowledged, seq, payload: &[u8]| {
            let mut segment = segment(seq, payload, false);
            side(acknowledged).trim(&mut segment);
            (segment.seq, String::from_utf8_lossy(&segment.payload).into_owned())
        };
        assert_eq!(trimmed(Some(102), 100, b"ping"), (102, "ng".to_owned()));
        assert_eq!(trimmed(Some(104), 100, b"ping"), (104, String::new()));
        assert_eq!(trimmed(Some(100), 100, b"ping"), (100, "ping".to_owned()));
        // The acknowledged position is not within the segment.
        assert_eq!(trimmed(Some(110), 100, b"ping"), (100, "ping".to_owned()));
        assert_eq!(trimmed(Some(98), 100, b"ping"), (100, "ping".to_owned()));
        assert_eq!(trimmed(None, 100, b"ping"), (100, "ping".to_owned()));
    }

    #[test]
    fn what_has_arrived_is_what_is_acknowledged() {
        assert_eq!(side(Some(107)).arrived(), 7);
        assert_eq!(side(None).arrived(), 0);
        assert_eq!(Side { first: None, ..side(Some(107)) }.arrived(), 0);
    }

    /// Sequence numbers wrap at 2^32.
    #[test]
    fn sequence_numbers_wrap() {
        let side = Side { first: Some(u32::MAX - 1), ..side(Some(2)) };
        assert_eq!(side.arrived(), 4);
        assert_eq!(side.ahead(&segment(u32::MAX, b"ping", false)), Some(3));
        assert_eq!(side.ahead(&segment(3, b"ping", false)), None);
    }

    #[test]
    fn each_byte_is_counted_once_and_each_request_once() {
        let mut side = side(None);
        let mut passed = PacketSteps::new();
        let mut count = |payload: &[u8], start: u64, passes: u64| {
            let roles =
                side.count(&segment(100 + start as u32, payload, false), StreamRange { start, passes }, &mut passed);
            (roles.len(), side.bytes, side.is_within_a_frame())
        };
        assert_eq!(count(b"ping\r\nPI", 0, 4), (0, 4, true));
        assert_eq!(count(b"ping\r\nPI", 0, 8), (1, 8, true));
        assert_eq!(count(b"ping\r\nPI", 0, 8), (0, 8, true), "they are repeated");
        assert_eq!(count(b"PING\r\n", 6, 12), (1, 12, false));
        assert_eq!(count(b"", 12, 12), (0, 12, false));
    }

    #[test]
    fn bytes_without_a_protocol_are_requests_of_the_client_and_answers_of_the_server() {
        let roles = |end| {
            let mut side = Side { first: Some(100), ..Side::new(Decoder::Bytes, end) };
            side.count(&segment(100, b"ping", false), StreamRange { start: 0, passes: 4 }, &mut PacketSteps::new())
        };
        assert!(matches!(roles(End::Client)[..], [Role::Request]));
        assert!(matches!(roles(End::Server)[..], [Role::Response { answers: u32::MAX }]));
    }
}
