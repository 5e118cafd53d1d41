//! `request.Body`: the handler's view of the pooled reader.
//!
//! Upstream gives the handler the pooled `*BodyReader` itself. The source shows two bugs that were not reported. A
//! handler that closes its body after its return closes the body of the request that uses the reader by then. And a
//! `Close` from another goroutine frees the buffer from which a `Read` is copying. net/http, whose contract handlers
//! follow, has neither bug: its body has a lock, and is invalid after the request.
//!
//! Deviates: the handler gets a small body that is not pooled. Each call holds its lock. When the request is released,
//! the body is detached from the reader; a detached body is closed, and `Read` returns EOF.

use std::sync::Arc;

use lastref::ledger::Owner;
use lastref::property::sometimes;
use lastref::sync::Mutex;

use super::body_reader::{BodyRef, Read};
use super::engine::Engine;
use super::error::GoPanic;
use super::mempool::Buffer;
use super::variant::Variant;

/// The handler's `io.ReadCloser`.
#[derive(Debug)]
pub(super) struct Body {
    attached: Mutex<bool>,
    reader: BodyRef,
}

impl Body {
    /// A body that is attached to `reader`.
    pub(super) fn new(reader: BodyRef) -> Arc<Body> {
        Arc::new(Body { attached: Mutex::named("Body.mux", true), reader })
    }

    /// The pooled reader. The parser uses it until the request is queued for its handler.
    pub(super) fn reader(&self) -> &BodyRef {
        &self.reader
    }

    /// `Read`.
    ///
    /// # Errors
    ///
    /// [`GoPanic::NilEngine`] if the reader was zeroed meanwhile.
    #[track_caller]
    pub(super) fn read(&self, engine: &Engine, need: usize, by: Owner) -> Result<Read, GoPanic> {
        self.guarded(engine, |attached| if attached { self.reader.read(engine, need, by) } else { Ok(Read::Eof) })
    }

    /// `Close`.
    ///
    /// # Errors
    ///
    /// [`GoPanic::NilEngine`] if the reader was zeroed meanwhile.
    #[track_caller]
    pub(super) fn close(&self, engine: &Engine, by: Owner) -> Result<(), GoPanic> {
        self.guarded(engine, |attached| if attached { self.reader.close(engine, by) } else { Ok(()) })
    }

    /// `TakeOver`.
    pub(super) fn take_over(&self, engine: &Engine, by: Owner) -> Vec<Buffer> {
        self.guarded(engine, |attached| if attached { self.reader.take_over(by) } else { Vec::new() })
    }

    /// The body's part of `releaseRequest`: closes the reader, puts it back into its pool, and detaches from it.
    ///
    /// # Errors
    ///
    /// [`GoPanic::NilEngine`] if the reader was zeroed meanwhile.
    #[track_caller]
    pub(super) fn release(&self, engine: &Engine, by: Owner) -> Result<(), GoPanic> {
        let mut attached = self.attached.lock();
        // upstream: processor.go releaseRequest. It leaves the handler's pointer to the struct valid. The reset in
        // NewBodyReader limits the damage, so the variant without the reset needs this defect as well.
        if !matches!(engine.variant, Variant::LateCloseRetainedBody | Variant::GetWithoutResetClosed) {
            *attached = false;
        }
        self.reader.close(engine, by)?;
        // upstream: processor.go releaseRequest, v1.5.4 to v1.5.11: the Put is in Close.
        if engine.variant != Variant::ClosePuts {
            self.reader.put(engine, by);
        }
        Ok(())
    }

    fn guarded<R>(&self, engine: &Engine, call: impl FnOnce(bool) -> R) -> R {
        let guard = self.attached.lock();
        let attached = *guard;
        sometimes("a body is used after its request was released", !attached);
        // upstream: body.go. No method of BodyReader takes a lock.
        if engine.variant == Variant::ReadOverlapsClose {
            drop(guard);
            return call(attached);
        }
        let result = call(attached);
        drop(guard);
        result
    }
}
