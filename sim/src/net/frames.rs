//! How the bytes of a connection are read: as frames of its protocol, where that is known.
//!
//! Tables name them, and the wire knows by them in which phase a connection is when a fault hits it.

use super::fault::End;
use super::http2::Http2;

/// The protocol that connections are read by.
#[derive(Clone, Copy, Debug, Default)]
pub enum Frames {
    /// None: numbers of bytes. What the client sends is a request, what the server sends answers it.
    #[default]
    Bytes,
    /// HTTP/2 (RFC 9113): frames.
    Http2,
    /// Lines of text, up to CR LF, each of the client's a request and each of the server's its answer: RESP's inline
    /// commands.
    Lines,
    /// One of the component's own: what reads the bytes of this end.
    Own(fn(End) -> Box<dyn Protocol>),
}

/// Reads what one end of a connection sends.
pub trait Protocol: std::fmt::Debug {
    /// How long the first frame of `unread` is, and what it does; none as long as it is not whole.
    fn next(&mut self, unread: &[u8]) -> Option<(usize, Role)>;

    /// That frame in words.
    fn name(&self, frame: &[u8]) -> String;

    /// Whether both ends have to say something before a request may be made.
    fn has_handshake(&self) -> bool {
        false
    }
}

/// What a frame does in its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is this end's part of the handshake.
    Handshake,
    /// A request begins with it.
    Request,
    /// It is of a response; so many requests end with it.
    Response {
        /// How many: 0 for a part that others follow.
        answers: u32,
    },
    /// It is a fault of the protocol's own, of this name: a GOAWAY.
    Fault(&'static str),
    /// None of these.
    Other,
}

impl Frames {
    fn protocol(self, end: End) -> Option<Box<dyn Protocol>> {
        match self {
            Frames::Bytes => None,
            Frames::Http2 => Some(Box::new(Http2::new(end))),
            Frames::Lines => Some(Box::new(Lines(end))),
            Frames::Own(protocol) => Some(protocol(end)),
        }
    }
}

/// Reads one direction of a connection.
#[derive(Debug)]
pub(super) struct Reader {
    protocol: Box<dyn Protocol>,
    unread: Vec<u8>,
}

/// What has become complete with some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) roles: Vec<Role>,
    /// Each frame in words; empty unless asked for.
    pub(super) names: Vec<String>,
}

impl Reader {
    /// A reader, if there is something to read by.
    pub(super) fn of(frames: Frames, end: End) -> Option<Reader> {
        frames.protocol(end).map(|protocol| Reader { protocol, unread: Vec::new() })
    }

    /// What has become complete with these bytes.
    pub(super) fn read(&mut self, bytes: &[u8], named: bool) -> Read {
        self.unread.extend_from_slice(bytes);
        let mut read = Read::default();
        while let Some((length, role)) = self.protocol.next(&self.unread) {
            // A protocol that finds frames of nothing would find them for ever.
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

    /// Whether it is in the middle of a frame.
    pub(super) fn is_within(&self) -> bool {
        !self.unread.is_empty()
    }

    pub(super) fn has_handshake(&self) -> bool {
        self.protocol.has_handshake()
    }
}

/// [`Frames::Lines`].
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
        let mut reader = Reader::of(Frames::Lines, End::Server).expect("lines are read");
        assert!(reader.read(b"+PO", true).roles.is_empty());
        assert!(reader.is_within());
        let read = reader.read(b"NG\r\n+PONG\r\n", true);
        assert_eq!(read.names, ["+PONG", "+PONG"]);
        assert_eq!(read.roles, [Role::Response { answers: 1 }; 2]);
        assert!(!reader.is_within());
    }
}
