//! A lock of loom's that was released while a panic unwound its holder: loom's own lock panics when it is taken again.
//!
//! The facade's locks are never poisoned, and the other engines continue after a panic that is caught. Under loom the
//! search ends with an error that says it cannot.

use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};

use kernel::record::Void;

use crate::session;

/// Whether the lock was released during such a panic.
#[derive(Debug, Default)]
pub(crate) struct Poison(AtomicBool);

impl Poison {
    /// The lock is released.
    pub(crate) fn note(&self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// The lock is about to be taken.
    pub(crate) fn refuse(&self, location: &'static Location<'static>) {
        if self.0.load(Ordering::Relaxed) {
            session::void(Void::Misuse(format!(
                "the lock taken at {location} was held by a task that panicked, and the panic was caught: loom cannot go \
                 on from there; search it under fiber"
            )));
        }
    }
}
