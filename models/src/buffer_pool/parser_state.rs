//! The states of a `Parser` (v1.5.12, nbhttp/parser.go).
//!
//! ```text
//! MethodBefore ─line─► HeaderKeyBefore ─over─► BodyContentLength ─all of it─► MethodBefore
//!                        │      │ over, no body ──────────────────────────────►   ▲
//!                        │      └─over, chunked─► BodyChunkSizeBefore ─0──────────┘
//!                        │                           │  ▲
//!                        ▼                           ▼  │ all of it
//!                      Close ◄─(from anywhere)    BodyChunkData
//! ```
//!
//! Left out: the states within a line, and those of the client.

use lastref::ledger::Owner;

use crate::kit::machine::machine;

machine! {
    a "Parser"

    /// The state of a parser.
    #[strum(prefix = "state")]
    pub enum State {
        /// Before a request line.
        MethodBefore,
        /// Before a header line, or the end of the head.
        HeaderKeyBefore,
        /// Before a body with a length.
        BodyContentLength,
        /// Before the size of a chunk.
        BodyChunkSizeBefore,
        /// Before the octets of a chunk.
        BodyChunkData,
        /// `CloseAndClean` was called.
        Close,
    }

    /// What the parser has found, or been told.
    pub enum Event {
        /// A request line.
        RequestLine,
        /// The end of a head without a body.
        HeadOver,
        /// The end of a head with a `Content-Length` above zero.
        HeadOverLength,
        /// The end of a head with `Transfer-Encoding: chunked`.
        HeadOverChunked,
        /// The whole body, of the announced length.
        Body,
        /// The size of a chunk, above zero.
        ChunkSize,
        /// The whole chunk.
        ChunkData,
        /// The size zero, after the last chunk.
        LastChunk,
        /// `CloseAndClean`.
        Close,
    }
}

/// The next state after `event`.
///
/// # Errors
/// If the state does not allow the event.
pub fn next(state: State, event: Event, actor: Owner) -> Result<State, Illegal> {
    use State::{BodyChunkData, BodyChunkSizeBefore, BodyContentLength, Close, HeaderKeyBefore, MethodBefore};
    match (event, state) {
        // upstream: nextState leaves stateClose for good.
        (_, Close) | (Event::Close, _) => Ok(Close),
        (Event::RequestLine, MethodBefore) => Ok(HeaderKeyBefore),
        (Event::HeadOver, HeaderKeyBefore)
        | (Event::Body, BodyContentLength)
        | (Event::LastChunk, BodyChunkSizeBefore) => Ok(MethodBefore),
        (Event::HeadOverLength, HeaderKeyBefore) => Ok(BodyContentLength),
        (Event::HeadOverChunked, HeaderKeyBefore) | (Event::ChunkData, BodyChunkData) => Ok(BodyChunkSizeBefore),
        (Event::ChunkSize, BodyChunkSizeBefore) => Ok(BodyChunkData),
        _ => Err(illegal(state, event, actor)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::machine::{Symbol, reached};

    #[test]
    fn every_state_is_reached_from_the_request_line() {
        assert_eq!(reached(State::MethodBefore, |state, event, actor| next(state, event, actor).ok()), State::ALL);
    }
}
