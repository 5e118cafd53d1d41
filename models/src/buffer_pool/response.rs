//! `Response`: collects a handler's writes in pooled buffers until the handler returns (v1.5.12, response.go).
//!
//! A write goes to `bodyBuffer`. The flush encodes the head into `buffer`, appends the body and frees `bodyBuffer`,
//! writes `buffer` to the connection and frees it. If the handler sets `Content-Length`, each write is sent at once,
//! and the first one carries the head.
//!
//! Left out: chunked responses and trailers, `Hijack` and websocket upgrades, `ReadFrom` and sendfile.

use std::sync::Arc;

use lastref::ledger::{Owner, Tag};

use super::audit::{Fields, Loan};
use super::conn::Conn;
use super::engine::Engine;
use super::error::NbError;
use super::mempool::Buffer;
use super::octet::{Octet, Part};
use super::request::RequestRef;

/// The pooled struct.
#[derive(Debug)]
pub(super) struct Response {
    fields: Fields<ResponseFields>,
}

#[derive(Debug, Default)]
struct ResponseFields {
    request: Option<RequestRef>,
    tag: Option<Tag>,
    content_length: Option<u32>,
    buffer: Option<Buffer>,
    body_buffer: Option<Buffer>,
    head_encoded: bool,
}

/// A `*Response` with its loan.
#[derive(Clone, Debug)]
pub(super) struct ResponseRef {
    response: Arc<Response>,
    loan: Loan,
}

impl ResponseRef {
    /// `NewResponse`.
    #[track_caller]
    pub(super) fn new(engine: &Engine, request: &RequestRef, by: Owner) -> ResponseRef {
        let objects = engine.plan.audit.objects();
        let response = engine.response_pool.get().unwrap_or_else(|| {
            Arc::new(Response { fields: Fields::new(objects, "Response", ResponseFields::default()) })
        });
        let loan = Loan::begin(objects, "Response", by);
        let tag = request.fields(by).tag;
        response.fields.with_mut(|res| {
            *res = ResponseFields { request: Some(request.clone()), tag, ..ResponseFields::default() };
        });
        ResponseRef { response, loan }
    }

    /// `res.request`.
    #[track_caller]
    pub(super) fn request(&self, by: Owner) -> Option<RequestRef> {
        self.loan.touch(by);
        self.response.fields.with(|res| res.request.clone())
    }

    /// `Header().Set("Content-Length", …)`.
    #[track_caller]
    pub(super) fn set_content_length(&self, length: u32, by: Owner) {
        self.loan.touch(by);
        self.response.fields.with_mut(|res| res.content_length = Some(length));
    }

    /// `Write`.
    ///
    /// # Errors
    ///
    /// The error of the connection, if the write is sent at once.
    #[track_caller]
    pub(super) fn write(&self, conn: &Arc<Conn>, data: &[Octet], by: Owner) -> Result<usize, NbError> {
        self.loan.touch(by);
        if data.is_empty() {
            return Ok(0);
        }
        let mempool = &conn.engine.body_allocator;
        if self.response.fields.with(|res| res.content_length.is_some()) {
            self.encode_head(&conn.engine, by);
            let buffer = match self.response.fields.with_mut(|res| res.buffer.take()) {
                Some(head) => mempool.append(head, data, by),
                None => mempool.malloc_copy(data, by),
            };
            let written = conn.write(&buffer.read(0, buffer.len(), by));
            mempool.free(&buffer, by);
            return written.map(|_| data.len());
        }
        let body_buffer = self.response.fields.with_mut(|res| res.body_buffer.take());
        let body_buffer = body_buffer.unwrap_or_else(|| mempool.malloc(data.len(), by).resliced(0));
        let body_buffer = mempool.append(body_buffer, data, by);
        self.response.fields.with_mut(|res| res.body_buffer = Some(body_buffer));
        Ok(data.len())
    }

    /// `eoncodeHead` (upstream's spelling).
    #[track_caller]
    pub(super) fn encode_head(&self, engine: &Engine, by: Owner) {
        self.loan.touch(by);
        let (done, tag, declared, body) = self.response.fields.with(|res| {
            (res.head_encoded, res.tag, res.content_length, res.body_buffer.as_ref().map_or(0, Buffer::len))
        });
        let Some(tag) = tag.filter(|_| !done) else { return };
        let length = declared.unwrap_or(u32::try_from(body).unwrap_or(u32::MAX));
        let mut data = engine.body_allocator.malloc(HEAD_CAP, by).resliced(0);
        for part in [Part::StatusLine, Part::ContentLength(length), Part::HeaderOver] {
            data = engine.body_allocator.append(data, &[Octet::new(tag, part)], by);
        }
        self.response.fields.with_mut(|res| {
            res.head_encoded = true;
            res.buffer = Some(data);
        });
    }

    /// `flushTrailer`: flushes everything that is left.
    ///
    /// # Errors
    ///
    /// The error of the connection.
    #[track_caller]
    pub(super) fn flush(&self, conn: &Arc<Conn>, by: Owner) -> Result<(), NbError> {
        self.loan.touch(by);
        let mempool = &conn.engine.body_allocator;
        let (buffer, body_buffer) = self.response.fields.with_mut(|res| (res.buffer.take(), res.body_buffer.take()));
        let buffer = match (buffer, body_buffer) {
            (None, None) => return Ok(()),
            (Some(only), None) | (None, Some(only)) => only,
            (Some(head), Some(body)) => {
                let buffer = mempool.append(head, &body.read(0, body.len(), by), by);
                mempool.free(&body, by);
                buffer
            }
        };
        let written = conn.write(&buffer.read(0, buffer.len(), by));
        mempool.free(&buffer, by);
        written.map(|_| ())
    }

    /// `releaseResponse`. As in v1.6 it frees the buffers of a response that was not flushed.
    #[track_caller]
    pub(super) fn release(&self, engine: &Engine, by: Owner) {
        self.loan.touch(by);
        let res = self.response.fields.with_mut(std::mem::take);
        for buffer in res.buffer.iter().chain(&res.body_buffer) {
            engine.body_allocator.free(buffer, by);
        }
        self.loan.end(by);
        engine.response_pool.put(Arc::clone(&self.response));
    }
}

/// Initial capacity of the head's buffer: 1024 upstream.
const HEAD_CAP: usize = 3;
