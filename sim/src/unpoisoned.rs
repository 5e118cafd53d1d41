//! Locks of std, poisoned or not: a panic in a task is a finding and ends the run, and what the lock protects is still
//! worth reporting.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The guard, or the value, of a lock.
pub(crate) fn clean<G>(result: Result<G, PoisonError<G>>) -> G {
    result.unwrap_or_else(PoisonError::into_inner)
}

/// Takes a lock of std's.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    clean(mutex.lock())
}
