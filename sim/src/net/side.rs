//! One direction of a connection as the wire sees it: the bytes of one end, counted each once and read as frames.

use turmoil_net::{Packet, TcpSegment};

use super::fault::{End, Fault};
use super::frames::{Frames, Reader, Role};
use super::passed::Passed;

/// One direction: the bytes of one end.
#[derive(Debug)]
pub(super) struct Side {
    end: End,
    /// The sequence number of its first byte.
    pub(super) first: Option<u32>,
    /// Bytes of it that went by.
    pub(super) bytes: u64,
    /// What the other end has acknowledged, as a sequence number.
    pub(super) acknowledged: Option<u32>,
    /// The last acknowledgement that this end has sent, without a payload.
    pub(super) last_ack: Option<Packet>,
    reader: Option<Reader>,
    /// The fault that is to shut its write side, once the component has its stream.
    pub(super) to_finish: Option<Fault>,
    /// The fault that has shut its write side, until the FIN passes.
    pub(super) finished_by: Option<Fault>,
    /// Its write side is shut.
    pub(super) is_shut: bool,
    /// Its stream was dropped: what arrives for it has no reader.
    pub(super) is_dropped: bool,
}

/// Where the bytes of a segment lie among its side's, and how many of them pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) passes: u64,
}

impl Side {
    pub(super) fn new(frames: Frames, end: End) -> Side {
        let reader = Reader::of(frames, end);
        Side {
            end,
            first: None,
            bytes: 0,
            acknowledged: None,
            last_ack: None,
            reader,
            to_finish: None,
            finished_by: None,
            is_shut: false,
            is_dropped: false,
        }
    }

    /// How many of its bytes the other end has.
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

    /// How far the other end is beyond the start of this segment, if it is.
    pub(super) fn ahead(&self, segment: &TcpSegment) -> Option<usize> {
        let ahead = self.acknowledged.map(|acknowledged| acknowledged.wrapping_sub(segment.seq) as i32);
        ahead.and_then(|ahead| usize::try_from(ahead).ok())
    }

    /// Whether the other end has all of this segment, and has said so.
    pub(super) fn is_repeated(&self, segment: &TcpSegment) -> bool {
        let length = segment.payload.len() + usize::from(segment.flags.fin);
        length > 0 && self.ahead(segment).is_some_and(|ahead| ahead >= length)
    }

    /// Takes away what the other end has of a segment that it does not have all of: turmoil-net drops what does not
    /// begin with its next byte.
    pub(super) fn trim(&self, segment: &mut TcpSegment) {
        if let Some(ahead) = self.ahead(segment).filter(|ahead| *ahead <= segment.payload.len()) {
            segment.payload = segment.payload.slice(ahead..);
            segment.seq = segment.seq.wrapping_add(u32::try_from(ahead).unwrap_or(0));
        }
    }

    /// Counts what is new of a segment, and says what it is: the roles of its frames.
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
            // All that was asked: a segment may carry several requests, and one may come in several.
            End::Server => Role::Response { answers: u32::MAX },
        };
        read.map_or_else(|| vec![whole], |read| read.roles)
    }
}
