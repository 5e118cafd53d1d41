//! A cancel function with its argument, and the pin that keeps the argument alive until the function has run.
//!
//! Upstream (v1.10.1, aio.c): to end an operation, a thread takes function and argument out of the aio under `eq_mtx`,
//! unlocks, and then calls the function. The aio is pinned meanwhile (its consumer promises to keep it, the expiration
//! thread marks it `a_expiring`); the argument, a context, is not, and may be freed between the two. That is still so
//! in upstream's main branch.
//!
//! Deviates: taking the pair out pins the argument's context, and `nni_ctx_destroy` waits for the pins. A waiting
//! destroyer is safe: a cancel function takes the protocol's lock and finishes aios through the task queue, it never
//! waits for a destroyer.

use std::sync::Arc;

use lastref::ledger::{Owner, Resource};
use lastref::sync::{Condvar, Mutex};

use super::aio::Aio;
use super::errno::Outcome;

/// The number of cancel functions that were taken and have not yet run on one context.
pub(super) struct Pins {
    mtx: Mutex<u32>,
    cv: Condvar,
}

impl Pins {
    pub(super) fn new() -> Arc<Pins> {
        Arc::new(Pins { mtx: Mutex::named("ctx pins", 0), cv: Condvar::named("ctx pins") })
    }

    /// Waits until no taken cancel function is left to run.
    pub(super) fn wait(&self) {
        let mut pins = self.mtx.lock();
        while *pins > 0 {
            pins = self.cv.wait(pins);
        }
    }

    fn pin(&self) {
        *self.mtx.lock() += 1;
    }

    fn unpin(&self) {
        let mut pins = self.mtx.lock();
        *pins -= 1;
        if *pins == 0 {
            self.cv.notify_all();
        }
    }
}

/// A cancel function, bound to its argument.
type Function = dyn Fn(&Arc<Aio>, Outcome) + Send + Sync;

/// `a_cancel_fn` with `a_cancel_arg`.
pub(super) struct Cancel {
    function: Box<Function>,
    pins: Option<Arc<Pins>>,
}

impl Cancel {
    /// A function whose argument outlives the aio by other means.
    pub(super) fn new(function: impl Fn(&Arc<Aio>, Outcome) + Send + Sync + 'static) -> Cancel {
        Cancel { function: Box::new(function), pins: None }
    }

    /// A function of this socket's protocol, whose argument is the context at that place, with its memory and its pins.
    pub(super) fn of_ctx<S: Send + Sync + 'static>(
        sock: &Arc<S>,
        (memory, pins): (Resource, Option<Arc<Pins>>),
        index: usize,
        function: fn(&S, usize, &Arc<Aio>, Outcome),
    ) -> Cancel {
        let sock = Arc::clone(sock);
        let cancel = Cancel::new(move |aio, rv| {
            // The argument: `ctx->sock` is the first thing that is read of it.
            memory.touch(Owner::new("cancel_fn", index as u32));
            function(&sock, index, aio, rv);
        });
        Cancel { pins, ..cancel }
    }

    /// To be called when the pair is taken out of the aio, with `eq_mtx` held.
    pub(super) fn taken(self) -> Taken {
        if let Some(pins) = &self.pins {
            pins.pin();
        }
        Taken(self)
    }
}

/// A pair that was taken out of its aio and is now to be called, with no lock held.
pub(super) struct Taken(Cancel);

impl Taken {
    /// Calls the function with `rv`, the result that it is to give the operation.
    pub(super) fn call(self, aio: &Arc<Aio>, rv: Outcome) {
        (self.0.function)(aio, rv);
        if let Some(pins) = &self.0.pins {
            pins.unpin();
        }
    }
}
