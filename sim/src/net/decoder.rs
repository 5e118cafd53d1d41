//! Parsing the bytes of a connection into frames of its protocol, if the protocol is known.
//!
//! Tables show the frames, and the wire derives from them the phase of a connection when a fault hits it.

use kernel::record::End;

use super::http2::Http2;
use super::protocol::{Protocol, Role};

/// The protocol by which connections are parsed.
#[derive(Clone, Copy, Debug, Default)]
pub enum Decoder {
    /// None: only byte counts. The client's bytes are a request, the server's bytes its response.
    #[default]
    Bytes,
    /// HTTP/2 (RFC 9113): frames.
    Http2,
    /// Lines of text that end with CR LF, such as RESP's inline commands. Each line of the client is a request, and
    /// each line of the server is a response.
    Lines,
    /// The component's own protocol: a function that returns the parser of this end's bytes.
    Own(fn(End) -> Box<dyn Protocol>),
}

impl Decoder {
    fn protocol(self, end: End) -> Option<Box<dyn Protocol>> {
        match self {
            Decoder::Bytes => None,
            Decoder::Http2 => Some(Box::new(Http2::new(end))),
            Decoder::Lines => Some(Box::new(Lines(end))),
            Decoder::Own(protocol) => Some(protocol(end)),
        }
    }
}

/// Parser of one direction of a connection.
#[derive(Debug)]
pub(super) struct Reader {
    protocol: Box<dyn Protocol>,
    unread: Vec<u8>,
}

/// The frames that some bytes complete.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) roles: Vec<Role>,
    /// The text of each frame; empty unless requested.
    pub(super) names: Vec<String>,
}

impl Reader {
    /// A parser, if the protocol is known.
    pub(super) fn of(decoder: Decoder, end: End) -> Option<Reader> {
        decoder.protocol(end).map(|protocol| Reader { protocol, unread: Vec::new() })
    }

    /// The frames that these bytes complete.
    pub(super) fn read(&mut self, bytes: &[u8], named: bool) -> Read {
        self.unread.extend_from_slice(bytes);
        let mut read = Read::default();
        while let Some((length, role)) = self.protocol.next(&self.unread) {
            // A protocol that finds frames of length 0 would loop forever.
            let length = length.clamp(1, self.unread.len().max(1));
            read.roles.push(role);
            if named {
                read.names.push(self.protocol.name(&self.unread[..length]));
            }
            self.unread.drain(..length);
            if self.unread.is_empty() {
                break;
            }
        }
        read
    }

    /// Whether it has read a part of a frame.
    pub(super) fn is_within(&self) -> bool {
        !self.unread.is_empty()
    }

    pub(super) fn has_handshake(&self) -> bool {
        self.protocol.has_handshake()
    }
}

/// [`Decoder::Lines`].
#[derive(Debug)]
struct Lines(End);

impl Protocol for Lines {
    fn next(&mut self, unread: &[u8]) -> Option<(usize, Role)> {
        let end = unread.windows(2).position(|pair| pair == b"\r\n")?;
        let role = match self.0 {
            End::Client => Role::Request,
            End::Server => Role::Response { answers: 1 },
        };
        Some((end + 2, role))
    }

    fn name(&self, frame: &[u8]) -> String {
        String::from_utf8_lossy(frame).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_cr_lf() {
        let mut reader = Reader::of(Decoder::Lines, End::Server).expect("lines are read");
        assert!(reader.read(b"+PO", true).roles.is_empty());
        assert!(reader.is_within());
        let read = reader.read(b"NG\r\n+PONG\r\n", true);
        assert_eq!(read.names, ["+PONG", "+PONG"]);
        assert_eq!(read.roles, [Role::Response { answers: 1 }; 2]);
        assert!(!reader.is_within());
    }
}
