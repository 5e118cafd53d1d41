//! Octets: the units of the wire, each with the tag of its request.
//!
//! A byte of HTTP does not name its request, so upstream's users found one client's message in another client's answer
//! only weeks later. An [`Octet`] carries the tag of its connection and request through every copy, so that the first
//! wrong delivery is seen at the byte. Header lines are one octet each: their text is not part of any bug here.

use lastref::ledger::Tag;

/// One unit of a request, of a response, or of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Octet {
    /// The connection (its client) and the request that it belongs to.
    pub tag: Tag,
    /// What it is.
    pub part: Part,
}

/// What an octet is.
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
    /// The empty line behind the header.
    HeaderOver,
    /// The line before a chunk; zero ends the body.
    ChunkSize(u32),
    /// A byte of a body, with its place.
    Body(u32),
    /// A byte that is not HTTP.
    Malformed,
    /// The status line of a response.
    StatusLine,
}

impl Octet {
    /// Fresh memory, which belongs to no request of any client.
    pub(super) const NOTHING: Octet = Octet { tag: Tag { peer: u32::MAX, request: u64::MAX }, part: Part::Nothing };

    /// An octet of `tag`.
    pub const fn new(tag: Tag, part: Part) -> Octet {
        Octet { tag, part }
    }
}
