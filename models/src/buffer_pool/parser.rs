//! `Parser`: parses requests from a stream of octets, and caches incomplete input (v1.5.12, nbhttp/parser.go).
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
//! A body with a length is passed on once it is complete, and so is each chunk. The rest of the input is kept in
//! `bytesCached`, a pooled buffer. `CloseAndClean` releases a half-parsed request and frees the cache.
//!
//! Left out: the states within a line, and those of the client.

use std::sync::Arc;

use lastref::property::sometimes;
use lastref::sync::Mutex;
use lastref::trace::transition;

use super::conn::Conn;
use super::error::NbError;
use super::mempool::Buffer;
use super::octet::{Octet, Part};
use super::processor::ServerProcessor;

/// A connection's parser.
#[derive(Debug)]
pub struct Parser {
    mux: Mutex<ParserState>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    MethodBefore,
    HeaderKeyBefore,
    BodyContentLength,
    BodyChunkSizeBefore,
    BodyChunkData,
    Close,
}

#[derive(Debug)]
struct ParserState {
    state: State,
    bytes_cached: Option<Buffer>,
    content_length: usize,
    chunk_size: usize,
    chunked: bool,
    processor: ServerProcessor,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::MethodBefore => "stateMethodBefore",
            State::HeaderKeyBefore => "stateHeaderKeyBefore",
            State::BodyContentLength => "stateBodyContentLength",
            State::BodyChunkSizeBefore => "stateBodyChunkSizeBefore",
            State::BodyChunkData => "stateBodyChunkData",
            State::Close => "stateClose",
        }
    }
}

impl Parser {
    /// `NewParser`.
    pub(super) fn new() -> Parser {
        let state = ParserState {
            state: State::MethodBefore,
            bytes_cached: None,
            content_length: 0,
            chunk_size: 0,
            chunked: false,
            processor: ServerProcessor::default(),
        };
        Parser { mux: Mutex::named("Parser.mux", state) }
    }

    /// `Parse`.
    ///
    /// # Errors
    ///
    /// The error in the octets, after which the caller closes the connection; a panic.
    pub fn parse(&self, conn: &Arc<Conn>, data: &[Octet]) -> Result<(), NbError> {
        let mut p = self.mux.lock();
        if p.state == State::Close {
            return Err(NbError::Closed);
        }
        if data.is_empty() {
            return Ok(());
        }
        let (engine, by) = (&conn.engine, conn.owner());
        let data = match p.bytes_cached.take() {
            None => data.to_vec(),
            Some(cached) => {
                let limit = engine.plan.read_limit;
                if limit.is_some_and(|limit| cached.len() + data.len() > limit as usize) {
                    p.bytes_cached = Some(cached);
                    return Err(NbError::TooLong);
                }
                sometimes("a request comes in pieces", true);
                let cached = engine.body_allocator.append(cached, data, by);
                let all = cached.read(0, cached.len(), by);
                p.bytes_cached = Some(cached);
                all
            }
        };
        let mut start = 0;
        while p.step(conn, &data, &mut start)? {}
        p.cache(conn, &data[start..]);
        Ok(())
    }

    /// `CloseAndClean`.
    pub fn close_and_clean(&self, conn: &Conn) {
        let mut p = self.mux.lock();
        if p.state == State::Close {
            return;
        }
        p.next_state(conn, State::Close);
        if p.processor.clean(conn).is_err() {
            // The panic ends the job before the cache is freed.
            return;
        }
        if let Some(cached) = p.bytes_cached.take() {
            sometimes("a connection closes with octets cached", true);
            conn.engine.body_allocator.free(&cached, conn.owner());
        }
    }
}

impl ParserState {
    fn next_state(&mut self, conn: &Conn, state: State) {
        if self.state != State::Close {
            transition("Parser", conn.id, self.state.name(), state.name());
            self.state = state;
        }
    }

    /// Parses the next element of `data`; returns false if the remaining octets do not complete one.
    fn step(&mut self, conn: &Arc<Conn>, data: &[Octet], start: &mut usize) -> Result<bool, NbError> {
        let by = conn.owner();
        let Some(octet) = data.get(*start) else { return Ok(false) };
        let left = data.len() - *start;
        match self.state {
            State::Close => return Err(NbError::Closed),
            State::MethodBefore => {
                if octet.part != Part::RequestLine {
                    return Err(NbError::InvalidMethod);
                }
                self.processor.on_method(conn, octet.tag);
                (self.content_length, self.chunked) = (0, false);
                self.next_state(conn, State::HeaderKeyBefore);
            }
            State::HeaderKeyBefore => match octet.part {
                Part::ContentLength(length) => self.content_length = length as usize,
                Part::Chunked => self.chunked = true,
                Part::ConnectionClose => self.processor.on_connection_close(by),
                Part::HeaderOver => {
                    self.processor.on_content_length(by, u32::try_from(self.content_length).unwrap_or(u32::MAX));
                    match (self.chunked, self.content_length) {
                        (true, _) => self.next_state(conn, State::BodyChunkSizeBefore),
                        (false, 0) => self.handle_message(conn)?,
                        (false, _) => self.next_state(conn, State::BodyContentLength),
                    }
                }
                _ => return Err(NbError::InvalidCharInHeader),
            },
            State::BodyContentLength => {
                let length = self.content_length;
                if left < length {
                    return Ok(false);
                }
                self.processor.on_body(conn, &data[*start..*start + length])?;
                self.handle_message(conn)?;
                *start += length;
                return Ok(true);
            }
            State::BodyChunkSizeBefore => match octet.part {
                Part::ChunkSize(0) => self.handle_message(conn)?,
                Part::ChunkSize(size) => {
                    self.chunk_size = size as usize;
                    self.next_state(conn, State::BodyChunkData);
                }
                _ => return Err(NbError::InvalidChunkSize),
            },
            State::BodyChunkData => {
                let size = self.chunk_size;
                if left < size {
                    return Ok(false);
                }
                self.processor.on_body(conn, &data[*start..*start + size])?;
                self.next_state(conn, State::BodyChunkSizeBefore);
                *start += size;
                return Ok(true);
            }
        }
        *start += 1;
        Ok(true)
    }

    /// `handleMessage`.
    fn handle_message(&mut self, conn: &Arc<Conn>) -> Result<(), NbError> {
        self.processor.on_complete(conn)?;
        self.next_state(conn, State::MethodBefore);
        Ok(())
    }

    /// The end of `Parse`: keeps the remaining octets in a buffer of their size.
    fn cache(&mut self, conn: &Conn, left: &[Octet]) {
        let (mempool, by) = (&conn.engine.body_allocator, conn.owner());
        let old = self.bytes_cached.take();
        if let Some(old) = old {
            if old.len() == left.len() {
                self.bytes_cached = Some(old);
                return;
            }
            // The remaining octets are the end of the old buffer, so they are copied before it is freed.
            let left = old.read(old.len() - left.len(), left.len(), by);
            self.bytes_cached = (!left.is_empty()).then(|| mempool.malloc_copy(&left, by));
            mempool.free(&old, by);
        } else if !left.is_empty() {
            self.bytes_cached = Some(mempool.malloc_copy(left, by));
        }
    }
}
