//! Octets: the units of the wire, each with the tag of its request.
//!
//! A byte of HTTP does not name its request, so upstream's users found one client's message in another client's answer
//! only weeks later. An [`Octet`] carries the tag of its connection and request through every copy, so the first
//! misdelivered byte is detected. A header line is one octet, since no bug here depends on its text.

use lastref::ledger::Tag;

/// One unit of a request, of a response, or of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Octet {
    /// The connection (its client) and the request that it belongs to.
    pub tag: Tag,
    /// Its kind and content.
    pub part: Part,
}

/// The kind and content of an octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Memory that was not written yet.
    Nothing,
    /// The request line; OnMethod, OnURL and OnProto in one.
    RequestLine,
    /// `Content-Length`.
    ContentLength(u32),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// `Connection: close`.
    ConnectionClose,
    /// The empty line after the headers.
    HeaderOver,
    /// The line before a chunk; zero ends the body.
    ChunkSize(u32),
    /// A byte of a body, with its position.
    Body(u32),
    /// A byte that is not HTTP.
    Malformed,
    /// The status line of a response.
    StatusLine,
}

impl Octet {
    /// Unwritten memory, which belongs to no request.
    pub(super) const NOTHING: Octet = Octet { tag: Tag { peer: u32::MAX, request: u64::MAX }, part: Part::Nothing };

    /// An octet of `tag`.
    pub const fn new(tag: Tag, part: Part) -> Octet {
        Octet { tag, part }
    }
}
