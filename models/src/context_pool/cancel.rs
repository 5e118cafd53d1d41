//! A cancel function with its argument, and the pin that keeps the argument alive until the function has run.
//!
//! Upstream (v1.10.1, aio.c): to end an operation, a thread takes function and argument out of the aio under `eq_mtx`,
//! unlocks, and then calls the function. The aio stays valid meanwhile (its consumer promises to keep it, the
//! expiration thread marks it `a_expiring`). The argument, a context, can be freed before the call. Upstream's main
//! branch still has this bug.
//!
//! Deviates: taking the pair out pins the argument's context, and `nni_ctx_destroy` waits for the pins. This wait
//! cannot deadlock: a cancel function takes the protocol's lock and finishes aios through the task queue, but never
//! waits for `nni_ctx_destroy`.

use std::sync::Arc;

use lastref::ledger::{Owner, Resource};
use lastref::sync::{Condvar, Mutex};

use super::aio::Aio;
use super::errno::Outcome;

/// The number of cancel functions of one context that were taken and have not run yet.
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
        drop(self.cv.wait_while(self.mtx.lock(), |pins| *pins > 0));
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
    /// A function whose argument needs no pin, because it outlives the aio anyway.
    pub(super) fn new(function: impl Fn(&Arc<Aio>, Outcome) + Send + Sync + 'static) -> Cancel {
        Cancel { function: Box::new(function), pins: None }
    }

    /// A function of the protocol of `sock`. Its argument is the context at `index`, with its memory and its pins.
    pub(super) fn of_ctx<S: Send + Sync + 'static>(
        sock: &Arc<S>,
        (memory, pins): (Resource, Option<Arc<Pins>>),
        index: usize,
        function: fn(&S, usize, &Arc<Aio>, Outcome),
    ) -> Cancel {
        let sock = Arc::clone(sock);
        let cancel = Cancel::new(move |aio, rv| {
            // The function reads its argument, the context, first: `ctx->sock`.
            memory.touch(Owner::new("cancel_fn", index as u32));
            function(&sock, index, aio, rv);
        });
        Cancel { pins, ..cancel }
    }

    /// Pins the context. Must be called with `eq_mtx` held, when the pair is taken out of the aio.
    pub(super) fn taken(self) -> Taken {
        if let Some(pins) = &self.pins {
            pins.pin();
        }
        Taken(self)
    }
}

/// A cancel function with its argument, taken out of its aio, to be called with no lock held.
pub(super) struct Taken(Cancel);

impl Taken {
    /// Calls the function with `rv`, the result for the operation.
    pub(super) fn call(self, aio: &Arc<Aio>, rv: Outcome) {
        (self.0.function)(aio, rv);
        if let Some(pins) = &self.0.pins {
            pins.unpin();
        }
    }
}
