//! A loom lock that was released while a panic unwound its holder: loom panics when the lock is taken again.
//!
//! The facade's locks are never poisoned, and the other engines continue after a panic that is caught. loom cannot
//! continue, so the search ends with an error.

use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};

use kernel::record::Void;

use crate::session;

/// Whether the lock was released during such a panic.
#[derive(Debug, Default)]
pub(crate) struct Poison(AtomicBool);

impl Poison {
    /// Called when the lock is released.
    pub(crate) fn note(&self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Called before the lock is taken. Ends the run as a misuse if the lock is poisoned.
    pub(crate) fn refuse(&self, location: &'static Location<'static>) {
        if self.0.load(Ordering::Relaxed) {
            session::void(Void::Misuse(format!(
                "the lock taken at {location} was held by a task that panicked, and the panic was caught: loom cannot \
                 continue from there; search it under fiber"
            )));
        }
    }
}
