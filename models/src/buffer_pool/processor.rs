//! `ServerProcessor`: turns the parser's callbacks into requests, and requests into handler calls (v1.5.12,
//! processor.go).
//!
//! ```text
//!  OnMethod         OnBody            OnComplete                    job of the connection
//!  ───────► parsing ─────► parsing ──────────────► queued ─────────────────────────────────► released
//!              │                          │          ServeHTTP, flushResponse: write, release
//!              │ Clean (connection closed)│ Execute refuses (connection closed)
//!              └──────────► released ◄────┘
//! ```
//!
//! Left out: the client's processor, and with it `clientResponsePool`, which is released in the same way; upgrades,
//! which hand the parser over; `OnRequest`, `RemoteAddr`, trailers.

use std::sync::Arc;

use lastref::ledger::{Owner, Tag};
use lastref::property::sometimes;
use lastref::time::{Duration, Instant};

use super::conn::{Conn, Deadline};
use super::error::{GoPanic, NbError};
use super::handler;
use super::octet::Octet;
use super::request::RequestRef;
use super::response::ResponseRef;
use super::variant::Variant;

/// The state of one connection's processor; the parser's lock guards it.
#[derive(Debug, Default)]
pub(super) struct ServerProcessor {
    request: Option<RequestRef>,
}

impl ServerProcessor {
    /// `OnMethod`, with OnURL and OnProto.
    pub(super) fn on_method(&mut self, conn: &Conn, tag: Tag) {
        let by = conn.owner();
        match &self.request {
            None => self.request = Some(RequestRef::get(&conn.engine, tag, by)),
            Some(request) => request.set(by, |fields| fields.tag = Some(tag)),
        }
    }

    /// `OnContentLength`.
    pub(super) fn on_content_length(&self, by: Owner, content_length: u32) {
        if let Some(request) = &self.request {
            request.set(by, |fields| fields.content_length = content_length);
        }
    }

    /// `OnHeader`, for `Connection: close` only.
    pub(super) fn on_connection_close(&self, by: Owner) {
        if let Some(request) = &self.request {
            request.set(by, |fields| fields.close = true);
        }
    }

    /// `OnBody`.
    ///
    /// # Errors
    ///
    /// The error of `append`.
    pub(super) fn on_body(&self, conn: &Conn, data: &[Octet]) -> Result<(), NbError> {
        let by = conn.owner();
        match &self.request {
            Some(request) => request.body(&conn.engine, by).reader().append(&conn.engine, data, by),
            None => Ok(()),
        }
    }

    /// `OnComplete`.
    ///
    /// # Errors
    ///
    /// A panic of `releaseRequest`.
    pub(super) fn on_complete(&mut self, conn: &Arc<Conn>) -> Result<(), GoPanic> {
        let Some(request) = self.request.take() else { return Ok(()) };
        let (engine, by) = (&conn.engine, conn.owner());
        if let Some(ms) = engine.plan.write_timeout_ms {
            conn.set_deadline(Deadline::Write, Instant::now() + Duration::from_millis(ms));
        }
        // A request without a body gets an empty one, for the handler to close.
        request.body(engine, by);
        let response = ResponseRef::new(engine, &request, by);
        let (job_conn, job_request, job_response) = (Arc::clone(conn), request.clone(), response.clone());
        let accepted = conn.execute(Box::new(move || serve(&job_conn, &job_request, &job_response)));
        if accepted {
            return Ok(());
        }
        sometimes("a complete request finds its connection closed", true);
        // Deviates: upstream does not put the response back into its pool; the garbage collector frees it.
        if engine.variant != Variant::RefusedKeepsResponse {
            response.release(engine, by);
        }
        // upstream: processor.go OnComplete, before 65aa2db (v1.2.16); 84bf8b8 (v1.5.6) fixed the same for websocket
        // messages.
        if engine.variant == Variant::ExecuteRefusedNoFree {
            return Ok(());
        }
        request.release(engine, by)
    }

    /// `Clean`, and `Close`, which is the same.
    ///
    /// # Errors
    ///
    /// A panic of `releaseRequest`.
    pub(super) fn clean(&mut self, conn: &Conn) -> Result<(), GoPanic> {
        let Some(request) = self.request.take() else { return Ok(()) };
        sometimes("a connection closes with a request half parsed", true);
        request.release(&conn.engine, conn.owner())
    }
}

/// The job that OnComplete queues.
fn serve(conn: &Arc<Conn>, request: &RequestRef, response: &ResponseRef) -> Result<(), GoPanic> {
    let (engine, by) = (&conn.engine, conn.owner());
    conn.expect_not_cleaned();
    if let Err(panic) = handler::serve_http(conn, response, request) {
        sometimes("a handler panics", panic == GoPanic::Handler);
        // Deviates: upstream has no deferred release, so a panicking handler's request, body and response never return
        // to their pools.
        if engine.variant != Variant::HandlerPanicKeepsRequest {
            request.release(engine, by)?;
            response.release(engine, by);
        }
        return Err(panic);
    }
    flush_response(conn, response)
}

/// `flushResponse`.
fn flush_response(conn: &Arc<Conn>, response: &ResponseRef) -> Result<(), GoPanic> {
    let (engine, by) = (&conn.engine, conn.owner());
    let Some(request) = response.request(by) else { return Ok(()) };
    response.encode_head(engine, by);
    if response.flush(conn, by).is_err() {
        sometimes("a response finds its connection closed", true);
        conn.close_with_error(NbError::Closed);
    } else if request.fields(by).close {
        // The data may still be in the send queue; upstream has the same comment here.
        conn.close_with_error(NbError::Closed);
    } else if let Some(ms) = engine.plan.keepalive_ms {
        conn.set_deadline(Deadline::Read, Instant::now() + Duration::from_millis(ms));
    }
    request.release(engine, by)?;
    response.release(engine, by);
    Ok(())
}
