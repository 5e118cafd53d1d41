//! Aeron's frames as octets: what goes between a publisher and a receiver.
//!
//! Layouts are those of aeron-client/src/main/c/protocol/aeron_udp_protocol.h, little endian. Upstream sends them as
//! datagrams; here they follow each other on a connection, each as long as its own header says. A heartbeat is a DATA
//! header alone whose frame length is zero, as in upstream, and so 32 octets long.
//!
//! A frame of the model's logs takes 32 octets, header included, and has no room for a payload beside it: what the
//! publisher wrote, a tag, is the header's `reserved_value`.

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
/// `aeron_frame_header_t`: less than this says nothing.
const HEADER_LENGTH: usize = 8;

const TYPE_DATA: u16 = 0x01;
const TYPE_NAK: u16 = 0x02;
const TYPE_SM: u16 = 0x03;
const TYPE_SETUP: u16 = 0x05;

/// `AERON_DATA_HEADER_BEGIN_FLAG | AERON_DATA_HEADER_END_FLAG`: every message is one frame.
const UNFRAGMENTED: u8 = 0xC0;
const DATA_EOS: u8 = 0x20;
const DATA_REVOKED: u8 = 0x10;
const SM_SEND_SETUP: u8 = 0x80;
const SM_EOS: u8 = 0x40;

/// The one stream of every publisher.
const STREAM_ID: i32 = 1001;
const MTU: i32 = 1408;
/// The one receiver.
const RECEIVER_ID: i64 = 1;

/// The state of the stream in a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It goes on.
    Open,
    /// `AERON_DATA_HEADER_EOS_FLAG`: this is its end.
    Ended,
    /// EOS and `AERON_DATA_HEADER_REVOKED_FLAG`: subscribers must not read the rest.
    Revoked,
}

/// The flags of a status message, besides its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Nothing.
    Nothing,
    /// `AERON_STATUS_MESSAGE_HEADER_SEND_SETUP_FLAG`: the receiver does not know the session.
    Setup,
    /// `AERON_STATUS_MESSAGE_HEADER_EOS_FLAG`: the receiver has finished the stream.
    Leave,
}

/// A frame. Offsets are in the stream's first term, which no stream of the model leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Setup { session_id: i32, initial_term_id: i32, term_offset: i32 },
    Data { session_id: i32, term_id: i32, term_offset: i32, payload: Tag },
    Heartbeat { session_id: i32, term_id: i32, term_offset: i32, standing: Standing },
    Nak { session_id: i32, term_id: i32, term_offset: i32, length: i32 },
    StatusMessage { session_id: i32, term_id: i32, term_offset: i32, receiver_window: i32, asks: Asks },
}

/// The length of a term: a power of two that the frames of a stream do not exceed.
pub(super) const TERM_LENGTH: i64 = FRAME_LENGTH * crate::image::shm::FRAMES_MAX;

impl Frame {
    /// Its octets.
    pub(super) fn encode(self) -> Vec<u8> {
        match self {
            Frame::Setup { session_id, initial_term_id, term_offset } => {
                let term_length = i32::try_from(TERM_LENGTH).unwrap_or(i32::MAX);
                let ids = [term_offset, session_id, STREAM_ID, initial_term_id, initial_term_id, term_length, MTU, 0];
                octets(SETUP_LENGTH, TYPE_SETUP, 0, &ids, &[])
            }
            Frame::Data { session_id, term_id, term_offset, payload } => {
                let reserved = (u64::from(payload.peer) << 32) | (payload.request & u64::from(u32::MAX));
                let ids = [term_offset, session_id, STREAM_ID, term_id];
                octets(DATA_LENGTH, TYPE_DATA, UNFRAGMENTED, &ids, &reserved.to_le_bytes())
            }
            Frame::Heartbeat { session_id, term_id, term_offset, standing } => {
                let flags = UNFRAGMENTED
                    | match standing {
                        Standing::Open => 0,
                        Standing::Ended => DATA_EOS,
                        Standing::Revoked => DATA_EOS | DATA_REVOKED,
                    };
                let ids = [term_offset, session_id, STREAM_ID, term_id];
                octets(0, TYPE_DATA, flags, &ids, &[0; 8])
            }
            Frame::Nak { session_id, term_id, term_offset, length } => {
                octets(NAK_LENGTH, TYPE_NAK, 0, &[session_id, STREAM_ID, term_id, term_offset, length], &[])
            }
            Frame::StatusMessage { session_id, term_id, term_offset, receiver_window, asks } => {
                let flags = match asks {
                    Asks::Nothing => 0,
                    Asks::Setup => SM_SEND_SETUP,
                    Asks::Leave => SM_EOS,
                };
                let ids = [session_id, STREAM_ID, term_id, term_offset, receiver_window];
                octets(SM_LENGTH, TYPE_SM, flags, &ids, &RECEIVER_ID.to_le_bytes())
            }
        }
    }

    /// The first frame, and how long it is; none as long as it is not whole. No frame: one that nobody here sends.
    pub(super) fn decode(unread: &[u8]) -> Option<(usize, Option<Frame>)> {
        let header = unread.get(..HEADER_LENGTH)?;
        let (frame_length, flags) = (int(header, 0), header[5]);
        let kind = u16::from_le_bytes([header[6], header[7]]);
        let length = match usize::try_from(frame_length) {
            Ok(0) => DATA_LENGTH,
            Ok(length) => length.max(HEADER_LENGTH),
            Err(_) => HEADER_LENGTH,
        };
        let octets = unread.get(..length)?;
        let frame = match kind {
            TYPE_SETUP if length == SETUP_LENGTH => Frame::Setup {
                session_id: int(octets, 12),
                initial_term_id: int(octets, 20),
                term_offset: int(octets, 8),
            },
            TYPE_DATA if length == DATA_LENGTH => data(octets, frame_length == 0, flags),
            TYPE_NAK if length == NAK_LENGTH => Frame::Nak {
                session_id: int(octets, 8),
                term_id: int(octets, 16),
                term_offset: int(octets, 20),
                length: int(octets, 24),
            },
            TYPE_SM if length == SM_LENGTH => {
                let asks = match flags {
                    SM_SEND_SETUP => Asks::Setup,
                    SM_EOS => Asks::Leave,
                    _ => Asks::Nothing,
                };
                Frame::StatusMessage {
                    session_id: int(octets, 8),
                    term_id: int(octets, 16),
                    term_offset: int(octets, 20),
                    receiver_window: int(octets, 24),
                    asks,
                }
            }
            _ => return Some((length, None)),
        };
        Some((length, Some(frame)))
    }
}

fn data(octets: &[u8], is_heartbeat: bool, flags: u8) -> Frame {
    let (session_id, term_id, term_offset) = (int(octets, 12), int(octets, 20), int(octets, 8));
    if is_heartbeat {
        let standing = match (flags & DATA_EOS != 0, flags & DATA_REVOKED != 0) {
            (_, true) => Standing::Revoked,
            (true, false) => Standing::Ended,
            (false, false) => Standing::Open,
        };
        return Frame::Heartbeat { session_id, term_id, term_offset, standing };
    }
    let payload = Tag { peer: word(octets, 28), request: u64::from(word(octets, 24)) };
    Frame::Data { session_id, term_id, term_offset, payload }
}

/// A header of this length, type and flags, the numbers that follow it, and what follows those.
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
        match self {
            Frame::Setup { session_id, initial_term_id, term_offset } => {
                write!(f, "SETUP session={session_id} term={initial_term_id} offset={term_offset}")
            }
            Frame::Data { session_id, term_offset, .. } => write!(f, "DATA session={session_id} offset={term_offset}"),
            Frame::Heartbeat { session_id, term_offset, standing, .. } => {
                let word = match standing {
                    Standing::Open => "",
                    Standing::Ended => " EOS",
                    Standing::Revoked => " REVOKED",
                };
                write!(f, "HEARTBEAT session={session_id} offset={term_offset}{word}")
            }
            Frame::Nak { session_id, term_offset, length, .. } => {
                write!(f, "NAK session={session_id} offset={term_offset} length={length}")
            }
            Frame::StatusMessage { session_id, term_offset, receiver_window, asks, .. } => {
                let word = match asks {
                    Asks::Nothing => "",
                    Asks::Setup => " SETUP?",
                    Asks::Leave => " EOS",
                };
                write!(f, "SM session={session_id} offset={term_offset} window={receiver_window}{word}")
            }
        }
    }
}

/// Reads what one end sends, for tables and phases.
#[derive(Debug)]
struct Aeron {
    /// The receiver has sent its first status message.
    has_answered: bool,
}

/// What reads the octets of one end.
pub(crate) fn protocol(_: End) -> Box<dyn Protocol> {
    Box::new(Aeron { has_answered: false })
}

impl Protocol for Aeron {
    fn next(&mut self, unread: &[u8]) -> Option<(usize, Role)> {
        let (length, frame) = Frame::decode(unread)?;
        let role = match frame {
            Some(Frame::Setup { .. } | Frame::StatusMessage { asks: Asks::Setup, .. }) => Role::Handshake,
            Some(Frame::StatusMessage { .. }) if !std::mem::replace(&mut self.has_answered, true) => Role::Handshake,
            // It says up to where everything was consumed: nothing before it waits for an answer.
            Some(Frame::StatusMessage { .. }) => Role::Response { answers: u32::MAX },
            Some(Frame::Data { .. }) => Role::Request,
            Some(Frame::Heartbeat { .. } | Frame::Nak { .. }) | None => Role::Other,
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
        let (session_id, term_id, term_offset) = (-7, 110, 64);
        let heartbeat = |standing| Frame::Heartbeat { session_id, term_id, term_offset, standing };
        let message = |asks| Frame::StatusMessage { session_id, term_id, term_offset, receiver_window: 128, asks };
        vec![
            Frame::Setup { session_id, initial_term_id: term_id, term_offset },
            Frame::Data { session_id, term_id, term_offset, payload: Tag { peer: 110, request: 2 } },
            heartbeat(Standing::Open),
            heartbeat(Standing::Ended),
            heartbeat(Standing::Revoked),
            Frame::Nak { session_id, term_id, term_offset, length: 32 },
            message(Asks::Nothing),
            message(Asks::Setup),
            message(Asks::Leave),
        ]
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
