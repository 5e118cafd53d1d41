//! A lock of loom's that was given back while a panic unwound its holder: loom's own lock panics when it is taken again.
//!
//! The facade's locks are never poisoned, and the other engines go on after a panic that is caught. Under loom the search
//! says that it cannot.

use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine;
use crate::void::Void;

/// Whether a lock was given back so.
#[derive(Debug, Default)]
pub(crate) struct Poison(AtomicBool);

impl Poison {
    /// The lock is given back.
    pub(crate) fn note(&self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// The lock is about to be taken.
    pub(crate) fn refuse(&self, location: &'static Location<'static>) {
        if self.0.load(Ordering::Relaxed) {
            engine::void(Void::Misuse(format!(
                "the lock taken at {location} was held by a task that panicked, and the panic was caught: loom cannot go \
                 on from there; search it under fiber"
            )));
        }
    }
}
