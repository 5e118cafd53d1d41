//! HTTP/2 (RFC 9113) as the clients' models use it: the frames that affect a client's connection, and their bytes.
//!
//! A request is HEADERS, with a block of indexed fields and of literals without Huffman (RFC 7541), and DATA with a
//! gRPC message: a flag, a length, and the call's tag, which the server sends back. A stream that ends with such a
//! message in it is a response.
//!
//! Left out: the content of the server's header blocks; CONTINUATION, WINDOW_UPDATE and PRIORITY. A connection's
//! initial windows exceed the data of a run.

use std::collections::BTreeMap;

use lastref::ledger::Tag;
use lastref::property::always;
use serde::{Deserialize, Serialize};

/// A frame that the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientFrame {
    /// The preface with the client's own SETTINGS.
    Preface,
    /// The acknowledgement of the server's SETTINGS.
    SettingsAck,
    /// A whole request: HEADERS and DATA with END_STREAM.
    Request { stream: u32, tag: Tag },
    /// RST_STREAM.
    RstStream { stream: u32 },
    /// PING.
    Ping,
    /// The answer to a PING of the server, with its payload.
    PingAck { opaque: u64 },
}

/// A frame that the server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerFrame {
    /// SETTINGS.
    Settings,
    /// A whole response: HEADERS, DATA and trailers. The payload is tagged for the request.
    Response { stream: u32, payload: Tag },
    /// GOAWAY: the server has not seen streams above the last one.
    Goaway { last_stream: u32, code: Goaway },
    /// The answer to a PING.
    PingAck,
    /// PING, with its payload.
    Ping { opaque: u64 },
    /// RST_STREAM: there will be no response.
    RstStream { stream: u32 },
}

/// The error code of a GOAWAY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goaway {
    /// `NO_ERROR`: the server drains.
    NoError,
    /// `ENHANCE_YOUR_CALM` with "too_many_pings": the channel must double its keepalive time.
    TooManyPings,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length, type, flags, stream.
const HEADER: usize = 9;
/// Flag, length, and the two numbers of a tag.
const MESSAGE: usize = 5 + 4 + 8;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

const NO_ERROR: u32 = 0;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

/// `:method POST`, `:scheme http`, `:path /`, `:authority backend`, `content-type application/grpc`, `te trailers`.
const REQUEST: &[u8] = b"\x83\x86\x84\x01\x07backend\x0f\x10\x10application/grpc\x00\x02te\x08trailers";

/// Appends the bytes of a frame.
pub(crate) fn encode(frame: ClientFrame, octets: &mut Vec<u8>) {
    match frame {
        ClientFrame::Preface => {
            octets.extend_from_slice(PREFACE);
            put(octets, SETTINGS, 0, 0, &[]);
        }
        ClientFrame::SettingsAck => put(octets, SETTINGS, ACK, 0, &[]),
        ClientFrame::Request { stream, tag } => {
            put(octets, HEADERS, END_HEADERS, stream, REQUEST);
            put(octets, DATA, END_STREAM, stream, &message(tag));
        }
        ClientFrame::RstStream { stream } => put(octets, RST_STREAM, 0, stream, &CANCEL.to_be_bytes()),
        ClientFrame::Ping => put(octets, PING, 0, 0, &[0; 8]),
        ClientFrame::PingAck { opaque } => put(octets, PING, ACK, 0, &opaque.to_be_bytes()),
    }
}

fn put(octets: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    octets.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    octets.extend_from_slice(&[kind, flags]);
    octets.extend_from_slice(&stream.to_be_bytes());
    octets.extend_from_slice(payload);
}

fn message(tag: Tag) -> Vec<u8> {
    let mut message = vec![0, 0, 0, 0, (MESSAGE - 5) as u8];
    message.extend_from_slice(&tag.peer.to_be_bytes());
    message.extend_from_slice(&tag.request.to_be_bytes());
    message
}

/// The tag in a message; `None` if the message is not whole.
fn tag(message: &[u8]) -> Option<Tag> {
    let numbers = message.get(5..).filter(|_| message.len() == MESSAGE)?;
    Some(Tag { peer: number(&numbers[..4]) as u32, request: number(&numbers[4..]) })
}

fn number(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |number, octet| (number << 8) | u64::from(*octet))
}

/// Decodes a server's bytes, in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    unread: Vec<u8>,
    bodies: BTreeMap<u32, Vec<u8>>,
}

impl Decoder {
    /// Returns the frames that these bytes complete.
    pub(crate) fn decode(&mut self, octets: &[u8]) -> Vec<ServerFrame> {
        self.unread.extend_from_slice(octets);
        let mut frames = Vec::new();
        while let Some(header) = self.unread.first_chunk::<HEADER>() {
            let whole = HEADER + number(&header[..3]) as usize;
            let (kind, flags, stream) = (header[3], header[4], number(&header[5..]) as u32);
            if self.unread.len() < whole {
                break;
            }
            let payload: Vec<u8> = self.unread.drain(..whole).skip(HEADER).collect();
            frames.extend(self.frame(kind, flags, stream, &payload));
        }
        frames
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Option<ServerFrame> {
        match kind {
            DATA | HEADERS => {
                let body = self.bodies.entry(stream).or_default();
                if kind == DATA {
                    always("a server's DATA is not padded", flags & PADDED == 0);
                    body.extend_from_slice(payload);
                }
                if flags & END_STREAM == 0 {
                    return None;
                }
                // A stream that ends without a message has no response, as after a reset.
                let body = self.bodies.remove(&stream).unwrap_or_default();
                Some(match tag(&body) {
                    Some(payload) => ServerFrame::Response { stream, payload },
                    None => ServerFrame::RstStream { stream },
                })
            }
            RST_STREAM => {
                self.bodies.remove(&stream);
                Some(ServerFrame::RstStream { stream })
            }
            SETTINGS => (flags & ACK == 0).then_some(ServerFrame::Settings),
            PING if flags & ACK != 0 => Some(ServerFrame::PingAck),
            PING => Some(ServerFrame::Ping { opaque: number(payload) }),
            GOAWAY => {
                let last_stream = number(payload.get(..4)?) as u32;
                let code = number(payload.get(4..8)?) as u32;
                always(
                    "a server finds no fault with the client's frames",
                    [NO_ERROR, ENHANCE_YOUR_CALM].contains(&code),
                );
                // gRPC doubles its keepalive time only if the debug data say `too_many_pings`; h2's server sends none.
                let code = if code == ENHANCE_YOUR_CALM { Goaway::TooManyPings } else { Goaway::NoError };
                Some(ServerFrame::Goaway { last_stream, code })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_from_any_pieces() {
        let tag = Tag { peer: 3, request: 1 << 40 };
        let mut octets = Vec::new();
        put(&mut octets, SETTINGS, 0, 0, &[]);
        put(&mut octets, HEADERS, END_HEADERS, 1, &[0x88]);
        put(&mut octets, DATA, 0, 1, &message(tag));
        put(&mut octets, HEADERS, END_HEADERS | END_STREAM, 1, &[]);
        put(&mut octets, GOAWAY, 0, 0, &[0, 0, 0, 5, 0, 0, 0, 11]);
        let mut decoder = Decoder::default();
        let frames: Vec<ServerFrame> = octets.iter().flat_map(|octet| decoder.decode(&[*octet])).collect();
        let goaway = ServerFrame::Goaway { last_stream: 5, code: Goaway::TooManyPings };
        assert_eq!(frames, [ServerFrame::Settings, ServerFrame::Response { stream: 1, payload: tag }, goaway]);
    }
}
