//! `std::sync`: newtypes around the real primitives, which only add scheduling points.
//!
//! The primitives of real std block and wake by `syscall(SYS_futex)`, which this package defines; so they block in the
//! simulator, with their own code and their own bugs. A scheduling point before each operation is still needed: an
//! uncontended lock makes no call. Without a point another task could not run first, so no lock would be contended.
//! Guards are the real types. Dropping one is a point only if a task waits for the lock.
#![expect(missing_docs, clippy::missing_errors_doc, reason = "the names and their contracts are std's")]

mod barrier;
mod condvar;
mod mutex;
mod once;
mod rwlock;

use std::panic::Location;

use lastref_kernel::record::OpKind;

pub use barrier::Barrier;
pub use condvar::Condvar;
pub use mutex::Mutex;
pub use once::{LazyLock, ONCE_INIT, Once, OnceLock};
pub use rwlock::RwLock;

use crate::run::current;

/// An operation of a real primitive: a scheduling point, the operation, and at random a second point, at which other
/// tasks may run while the lock is held.
#[inline]
pub(crate) fn operate<O: ?Sized, R>(
    kind: OpKind,
    object: &O,
    label: &'static str,
    location: &'static Location<'static>,
    operation: impl FnOnce() -> R,
) -> R {
    let Some(run) = current() else { return operation() };
    let address = std::ptr::from_ref(object).addr();
    run.announce(kind, address, label, location);
    let result = operation();
    run.notes_locker(kind, address, location);
    run.has_done(location);
    run.after(location);
    result
}
