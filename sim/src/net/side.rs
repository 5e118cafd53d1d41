//! One direction of a connection as the wire sees it: the bytes of one end, each counted once and parsed into frames.

use turmoil_net::{Packet, TcpSegment};

use super::decoder::{Decoder, Reader, Role};
use super::fault::{End, Fault};
use super::passed::Passed;

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
pub(super) struct Range {
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

    /// The number of its bytes that the other end has.
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
    pub(super) fn count(&mut self, segment: &TcpSegment, range: Range, passed: &mut Passed) -> Vec<Role> {
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
            Some(read) if read.names.is_empty() => format!("{} bytes of more", fresh.len()),
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
