//! std locks whose poisoning is ignored: a panic in a task is a finding that ends the run, and the protected data is
//! still worth reporting.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The guard, or the value, of a lock.
pub(crate) fn clean<G>(result: Result<G, PoisonError<G>>) -> G {
    result.unwrap_or_else(PoisonError::into_inner)
}

/// Takes a std lock.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    clean(mutex.lock())
}
