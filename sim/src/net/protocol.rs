//! The parser of a protocol: it splits the bytes of a connection into frames, and determines the role of each.

/// Parses the bytes that one end of a connection sends.
pub trait Protocol: std::fmt::Debug {
    /// The length of the first frame of `unread`, and its role; none while the frame is incomplete.
    fn next(&mut self, unread: &[u8]) -> Option<(usize, Role)>;

    /// The frame's text in tables.
    fn name(&self, frame: &[u8]) -> String;

    /// Whether both ends must send a handshake before a request.
    fn has_handshake(&self) -> bool {
        false
    }
}

/// The role of a frame in its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is this end's part of the handshake.
    Handshake,
    /// It begins a request.
    Request,
    /// It belongs to a response, and completes the responses to this many requests.
    Response {
        /// Number of requests: 0 for a part of a response that is not the last.
        answers: u32,
    },
    /// It is a fault of the protocol itself, with this name, such as GOAWAY.
    Fault(&'static str),
    /// None of these.
    Other,
}
