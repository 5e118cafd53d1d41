//! Aeron's frames as octets, between a publisher and a receiver.
//!
//! Layouts are those of aeron-client/src/main/c/protocol/aeron_udp_protocol.h, little endian. Upstream sends them as
//! datagrams; here they follow each other on a connection, delimited by the length in each header. A heartbeat is only
//! a DATA header, 32 octets long, whose frame length is zero, as in upstream.
//!
//! A frame of the model's logs has 32 octets, which the header fills. The publisher's payload, a tag, is therefore the
//! header's `reserved_value`.

use std::fmt;

use lastref::ledger::Tag;
use lastref::net::{End, Protocol, Role};

use crate::image::shm::FRAME_LENGTH;

/// `aeron_setup_header_t`.
pub(super) const SETUP_LENGTH: usize = 40;
/// `aeron_data_header_t`.
pub(super) const DATA_LENGTH: usize = 32;
/// `aeron_nak_header_t`.
const NAK_LENGTH: usize = 28;
/// `aeron_status_message_header_t`, which is packed.
pub(super) const SM_LENGTH: usize = 36;
/// `aeron_frame_header_t`: the minimum from which a frame can be decoded.
const HEADER_LENGTH: usize = 8;

const TYPE_DATA: u16 = 0x01;
const TYPE_NAK: u16 = 0x02;
const TYPE_SM: u16 = 0x03;
const TYPE_SETUP: u16 = 0x05;

/// `AERON_DATA_HEADER_BEGIN_FLAG | AERON_DATA_HEADER_END_FLAG`: every message is one frame.
const UNFRAGMENTED: u8 = 0xC0;

/// The one stream of every publisher.
const STREAM_ID: i32 = 1001;
const MTU: i32 = 1408;
/// The one receiver.
const RECEIVER_ID: i64 = 1;

/// The state of the stream, as the flags of a heartbeat, with its word in tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::FromRepr, strum::IntoStaticStr)]
#[repr(u8)]
pub(super) enum Standing {
    /// The stream continues.
    #[strum(serialize = "")]
    Open = UNFRAGMENTED,
    /// `AERON_DATA_HEADER_EOS_FLAG`: the stream has ended.
    #[strum(serialize = " EOS")]
    Ended = UNFRAGMENTED | 0x20,
    /// EOS and `AERON_DATA_HEADER_REVOKED_FLAG`: subscribers must not read the rest.
    #[strum(serialize = " REVOKED")]
    Revoked = UNFRAGMENTED | 0x20 | 0x10,
}

/// The flags of a status message, besides its window, with their word in tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::FromRepr, strum::IntoStaticStr)]
#[repr(u8)]
pub(super) enum Asks {
    /// Nothing.
    #[strum(serialize = "")]
    Nothing = 0,
    /// `AERON_STATUS_MESSAGE_HEADER_SEND_SETUP_FLAG`: the receiver does not know the session.
    #[strum(serialize = " SETUP?")]
    Setup = 0x80,
    /// `AERON_STATUS_MESSAGE_HEADER_EOS_FLAG`: the receiver has finished the stream.
    #[strum(serialize = " EOS")]
    Leave = 0x40,
}

/// A frame. Its offset is in the stream's first term, which no stream of the model leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) session_id: i32,
    pub(super) term_id: i32,
    pub(super) term_offset: i32,
    pub(super) kind: Kind,
}

/// The type of a frame, with the fields that only this type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Setup,
    Data(Tag),
    Heartbeat(Standing),
    Nak { length: i32 },
    StatusMessage { receiver_window: i32, asks: Asks },
}

/// The length of a term: a power of two that the frames of a stream do not exceed.
pub(super) const TERM_LENGTH: i64 = FRAME_LENGTH * crate::image::shm::FRAMES_MAX;

/// A position as an offset into the term that holds all of a stream.
pub(super) fn offset(position: i64) -> i32 {
    i32::try_from(position).unwrap_or(i32::MAX)
}

impl Frame {
    /// A frame of this stream, at a position.
    pub(super) fn at(session_id: i32, term_id: i32, position: i64, kind: Kind) -> Frame {
        Frame { session_id, term_id, term_offset: offset(position), kind }
    }

    /// Its octets.
    pub(super) fn encode(self) -> Vec<u8> {
        let Frame { session_id, term_id, term_offset, kind } = self;
        let publishers = [term_offset, session_id, STREAM_ID, term_id];
        let receivers = |number| [session_id, STREAM_ID, term_id, term_offset, number];
        match kind {
            Kind::Setup => {
                let ids = [&publishers[..], &[term_id, offset(TERM_LENGTH), MTU, 0]].concat();
                octets(SETUP_LENGTH, TYPE_SETUP, 0, &ids, &[])
            }
            Kind::Data(payload) => {
                let reserved = (u64::from(payload.peer) << 32) | (payload.request & u64::from(u32::MAX));
                octets(DATA_LENGTH, TYPE_DATA, UNFRAGMENTED, &publishers, &reserved.to_le_bytes())
            }
            Kind::Heartbeat(standing) => octets(0, TYPE_DATA, standing as u8, &publishers, &[0; 8]),
            Kind::Nak { length } => octets(NAK_LENGTH, TYPE_NAK, 0, &receivers(length), &[]),
            Kind::StatusMessage { receiver_window, asks } => {
                octets(SM_LENGTH, TYPE_SM, asks as u8, &receivers(receiver_window), &RECEIVER_ID.to_le_bytes())
            }
        }
    }

    /// The first frame and its length; `None` until all of it has arrived. The frame is `None` if the model has no
    /// frame of its type and length.
    pub(super) fn decode(unread: &[u8]) -> Option<(usize, Option<Frame>)> {
        let header = unread.get(..HEADER_LENGTH)?;
        let (frame_length, flags) = (int(header, 0), header[5]);
        let length = match usize::try_from(frame_length) {
            Ok(0) => DATA_LENGTH,
            Ok(length) => length.max(HEADER_LENGTH),
            Err(_) => HEADER_LENGTH,
        };
        let octets = unread.get(..length)?;
        let kind = match (u16::from_le_bytes([header[6], header[7]]), length) {
            (TYPE_SETUP, SETUP_LENGTH) => Kind::Setup,
            (TYPE_DATA, DATA_LENGTH) if frame_length == 0 => {
                Kind::Heartbeat(Standing::from_repr(flags).unwrap_or(Standing::Open))
            }
            (TYPE_DATA, DATA_LENGTH) => {
                Kind::Data(Tag { peer: word(octets, 28), request: u64::from(word(octets, 24)) })
            }
            (TYPE_NAK, NAK_LENGTH) => Kind::Nak { length: int(octets, 24) },
            (TYPE_SM, SM_LENGTH) => {
                let asks = Asks::from_repr(flags).unwrap_or(Asks::Nothing);
                Kind::StatusMessage { receiver_window: int(octets, 24), asks }
            }
            _ => return Some((length, None)),
        };
        let [session_id, term_id, term_offset] = match kind {
            Kind::Setup | Kind::Data(_) | Kind::Heartbeat(_) => [12, 20, 8],
            Kind::Nak { .. } | Kind::StatusMessage { .. } => [8, 16, 20],
        }
        .map(|at| int(octets, at));
        Some((length, Some(Frame { session_id, term_id, term_offset, kind })))
    }
}

/// A frame: a header of this length, type and flags, then the numbers `ids`, then `rest`.
fn octets(frame_length: usize, kind: u16, flags: u8, ids: &[i32], rest: &[u8]) -> Vec<u8> {
    const VERSION: u8 = 0;
    let mut octets = i32::try_from(frame_length).unwrap_or(i32::MAX).to_le_bytes().to_vec();
    octets.extend([VERSION, flags]);
    octets.extend(kind.to_le_bytes());
    octets.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
    octets.extend(rest);
    octets
}

fn word(octets: &[u8], at: usize) -> u32 {
    let word = octets.get(at..at + 4).and_then(|word| word.try_into().ok());
    u32::from_le_bytes(word.unwrap_or_default())
}

fn int(octets: &[u8], at: usize) -> i32 {
    word(octets, at).cast_signed()
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Frame { session_id: session, term_id: term, term_offset: offset, kind } = self;
        match kind {
            Kind::Setup => write!(f, "SETUP session={session} term={term} offset={offset}"),
            Kind::Data(_) => write!(f, "DATA session={session} offset={offset}"),
            Kind::Heartbeat(standing) => {
                write!(f, "HEARTBEAT session={session} offset={offset}{}", <&str>::from(standing))
            }
            Kind::Nak { length } => write!(f, "NAK session={session} offset={offset} length={length}"),
            Kind::StatusMessage { receiver_window, asks } => {
                write!(f, "SM session={session} offset={offset} window={receiver_window}{}", <&str>::from(asks))
            }
        }
    }
}

/// Parses the octets of one end, for tables and phases.
#[derive(Debug)]
struct Aeron {
    /// The receiver has sent its first status message.
    has_answered: bool,
}

/// The parser of one end's octets.
pub(crate) fn protocol(_: End) -> Box<dyn Protocol> {
    Box::new(Aeron { has_answered: false })
}

impl Protocol for Aeron {
    fn next(&mut self, unread: &[u8]) -> Option<(usize, Role)> {
        let (length, frame) = Frame::decode(unread)?;
        let role = match frame.map(|frame| frame.kind) {
            Some(Kind::Setup | Kind::StatusMessage { asks: Asks::Setup, .. }) => Role::Handshake,
            Some(Kind::StatusMessage { .. }) if !std::mem::replace(&mut self.has_answered, true) => Role::Handshake,
            // Its position acknowledges everything before it, so no earlier frame waits for an answer.
            Some(Kind::StatusMessage { .. }) => Role::Response { answers: u32::MAX },
            Some(Kind::Data(_)) => Role::Request,
            Some(Kind::Heartbeat(_) | Kind::Nak { .. }) | None => Role::Other,
        };
        Some((length, role))
    }

    fn name(&self, frame: &[u8]) -> String {
        match Frame::decode(frame) {
            Some((_, Some(frame))) => frame.to_string(),
            _ => format!("{} bytes", frame.len()),
        }
    }

    fn has_handshake(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<Frame> {
        let message = |asks| Kind::StatusMessage { receiver_window: 128, asks };
        let kinds = [
            Kind::Setup,
            Kind::Data(Tag { peer: 110, request: 2 }),
            Kind::Heartbeat(Standing::Open),
            Kind::Heartbeat(Standing::Ended),
            Kind::Heartbeat(Standing::Revoked),
            Kind::Nak { length: 32 },
            message(Asks::Nothing),
            message(Asks::Setup),
            message(Asks::Leave),
        ];
        kinds.map(|kind| Frame { session_id: -7, term_id: 110, term_offset: 64, kind }).to_vec()
    }

    #[test]
    fn a_frame_is_what_it_was_and_as_long_as_it_says() {
        let all: Vec<u8> = frames().into_iter().flat_map(Frame::encode).collect();
        let (mut unread, mut read) = (&all[..], Vec::new());
        while let Some((length, frame)) = Frame::decode(unread) {
            read.extend(frame);
            assert!(Frame::decode(&unread[..length - 1]).is_none(), "it is not whole before its last octet");
            unread = &unread[length..];
        }
        assert_eq!(read, frames());
    }

    #[test]
    fn a_frame_of_another_length_than_its_type_has_is_none_of_ours() {
        for mut octets in frames().into_iter().map(Frame::encode).filter(|octets| int(octets, 0) > 0) {
            let length = octets.len() + 4;
            octets[0] = u8::try_from(length).expect("a frame is short");
            octets.resize(length, 0);
            let decoded = Frame::decode(&octets);
            assert!(matches!(decoded, Some((long, None)) if long == length), "{decoded:?}");
        }
    }

    #[test]
    fn lengths_and_types_are_upstreams() {
        let encoded: Vec<(usize, i32, u8)> = frames()
            .into_iter()
            .map(|frame| frame.encode())
            .map(|octets| (octets.len(), int(&octets, 0), octets[6]))
            .collect();
        let heartbeat = (32, 0, 1);
        let message = (36, 36, 3);
        let expected =
            [(40, 40, 5), (32, 32, 1), heartbeat, heartbeat, heartbeat, (28, 28, 2), message, message, message];
        assert_eq!(encoded, expected);
    }
}
