//! `Parser`: parses requests from a stream of octets, and caches incomplete input (v1.5.12, nbhttp/parser.go).
//!
//! A body with a length is passed on once it is complete, and so is each chunk. The rest of the input is kept in
//! `bytesCached`, a pooled buffer. `CloseAndClean` releases a half-parsed request and frees the cache. The states are
//! in `parser_state`.

use std::sync::Arc;

use lastref::property::sometimes;
use lastref::sync::Mutex;

use super::conn::Conn;
use super::error::NbError;
use super::mempool::Buffer;
use super::octet::{Octet, Part};
use super::parser_state::{Event, State, next};
use super::processor::ServerProcessor;
use crate::kit::machine::happens;

/// A connection's parser.
#[derive(Debug)]
pub struct Parser {
    mux: Mutex<ParserState>,
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
        p.happens(conn, Event::Close);
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
    /// `nextState`.
    fn happens(&mut self, conn: &Conn, event: Event) {
        let next = next(self.state, event, conn.owner());
        happens(&mut self.state, conn.id, next);
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
                self.happens(conn, Event::RequestLine);
            }
            State::HeaderKeyBefore => match octet.part {
                Part::ContentLength(length) => self.content_length = length as usize,
                Part::Chunked => self.chunked = true,
                Part::ConnectionClose => self.processor.on_connection_close(by),
                Part::HeaderOver => {
                    self.processor.on_content_length(by, u32::try_from(self.content_length).unwrap_or(u32::MAX));
                    match (self.chunked, self.content_length) {
                        (true, _) => self.happens(conn, Event::HeadOverChunked),
                        (false, 0) => self.handle_message(conn, Event::HeadOver)?,
                        (false, _) => self.happens(conn, Event::HeadOverLength),
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
                self.handle_message(conn, Event::Body)?;
                *start += length;
                return Ok(true);
            }
            State::BodyChunkSizeBefore => match octet.part {
                Part::ChunkSize(0) => self.handle_message(conn, Event::LastChunk)?,
                Part::ChunkSize(size) => {
                    self.chunk_size = size as usize;
                    self.happens(conn, Event::ChunkSize);
                }
                _ => return Err(NbError::InvalidChunkSize),
            },
            State::BodyChunkData => {
                let size = self.chunk_size;
                if left < size {
                    return Ok(false);
                }
                self.processor.on_body(conn, &data[*start..*start + size])?;
                self.happens(conn, Event::ChunkData);
                *start += size;
                return Ok(true);
            }
        }
        *start += 1;
        Ok(true)
    }

    /// `handleMessage`.
    fn handle_message(&mut self, conn: &Arc<Conn>, event: Event) -> Result<(), NbError> {
        self.processor.on_complete(conn)?;
        self.happens(conn, event);
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
