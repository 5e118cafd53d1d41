//! `http.Request` and its pool; `releaseRequest` (v1.5.12, processor.go).

use std::sync::Arc;

use lastref::ledger::{Owner, Tag};
use lastref::property::sometimes;

use super::audit::{Fields, Loan};
use super::body::Body;
use super::body_reader::BodyRef;
use super::engine::Engine;
use super::error::GoPanic;

/// The pooled struct.
#[derive(Debug)]
pub(super) struct Request {
    fields: Fields<RequestFields>,
}

/// The fields of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestFields {
    /// In place of Method, URL and Header: identifies the request to the handler.
    pub(super) tag: Option<Tag>,
    pub(super) content_length: u32,
    pub(super) close: bool,
    pub(super) body: Option<Arc<Body>>,
    /// True if the handler has wrapped the body in another type, so that `req.Body.(*BodyReader)` fails.
    pub(super) wrapped: bool,
}

/// A `*http.Request` with its loan.
#[derive(Clone, Debug)]
pub(super) struct RequestRef {
    request: Arc<Request>,
    loan: Loan,
}

impl RequestRef {
    /// `requestPool.Get()`, and `*p.request = *parser.Engine.emptyRequest`.
    #[track_caller]
    pub(super) fn get(engine: &Engine, tag: Tag, by: Owner) -> RequestRef {
        let objects = engine.plan.audit.objects();
        let request = engine.request_pool.get().unwrap_or_else(|| {
            Arc::new(Request { fields: Fields::new(objects, "http.Request", RequestFields::default()) })
        });
        let loan = Loan::begin(objects, "http.Request", by);
        request.fields.with_mut(|fields| *fields = RequestFields { tag: Some(tag), ..RequestFields::default() });
        RequestRef { request, loan }
    }

    /// Reads the fields.
    #[track_caller]
    pub(super) fn fields(&self, by: Owner) -> RequestFields {
        self.loan.touch(by);
        self.request.fields.with(RequestFields::clone)
    }

    /// Writes fields.
    #[track_caller]
    pub(super) fn set(&self, by: Owner, write: impl FnOnce(&mut RequestFields)) {
        self.loan.touch(by);
        self.request.fields.with_mut(write);
    }

    /// `p.request.Body`; created by `NewBodyReader` if there is none.
    #[track_caller]
    pub(super) fn body(&self, engine: &Engine, by: Owner) -> Arc<Body> {
        if let Some(body) = self.fields(by).body {
            return body;
        }
        let body = Body::new(BodyRef::new(engine, by));
        self.set(by, |fields| fields.body = Some(Arc::clone(&body)));
        body
    }

    /// `releaseRequest`.
    ///
    /// # Errors
    ///
    /// A panic; the request then stays unreleased.
    #[track_caller]
    pub(super) fn release(&self, engine: &Engine, by: Owner) -> Result<(), GoPanic> {
        let fields = self.fields(by);
        if let Some(body) = fields.body {
            if engine.plan.retain_http_body {
                // From here on the application owns the body and closes it once; the reader is never pooled again.
                body.reader().left_to_gc("RetainHTTPBody: the application has it");
            } else if fields.wrapped {
                // upstream: #248. The body is not a *BodyReader: closing it closes the reader, but no reader is put
                // back.
                sometimes("a wrapped body is closed by releaseRequest", true);
                body.close(engine, by)?;
                body.reader().left_to_gc("a wrapped body is not put");
            } else {
                body.release(engine, by)?;
            }
        }
        self.request.fields.with_mut(|fields| *fields = RequestFields::default());
        self.loan.end(by);
        engine.request_pool.put(Arc::clone(&self.request));
        Ok(())
    }
}
