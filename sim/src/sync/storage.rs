//! The value of a lock under the kernel. The kernel knows the holder of the lock, and its tasks share one OS thread, so
//! the value needs no lock of std's: a count of guards is enough to check that the kernel is right.
//!
//! All unsafe code of the facade's locks is in this file.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI32, Ordering};

use super::locked_while_unwinding;

/// A value with many readers or one writer at a time, on one OS thread at a time.
pub(crate) struct Storage<T> {
    value: UnsafeCell<T>,
    /// The number of readers, or [`WRITER`]. Atomic only so that the type can be shared; see the argument below.
    guards: AtomicI32,
}

const WRITER: i32 = -1;

// SAFETY: `read`, `write` and `try_write` are called only by a task of the run in which the lock was created
// (`Object::kernel` or `kernel_if_current` has returned its kernel; for the result of a task, `Stamp::admits` has
// admitted its handle), and the tasks of a run share one OS thread. Only that thread therefore refers to the value,
// until the lock is owned again; moving the value to another thread is what `T: Send` allows.
#[expect(unsafe_code, reason = "the kernel's tasks share one OS thread; see the argument above")]
unsafe impl<T: Send> Sync for Storage<T> {}

impl<T> Storage<T> {
    pub(crate) fn new(value: T) -> Storage<T> {
        Storage { value: UnsafeCell::new(value), guards: AtomicI32::new(0) }
    }

    /// The value, for the task that the kernel has given the lock. Another guard can exist only if the run is over, and
    /// a destructor takes a lock that an abandoned task holds: it can neither wait nor continue, and the process
    /// aborts.
    #[inline]
    pub(crate) fn write(&self) -> Writing<'_, T> {
        match self.try_write() {
            Some(guard) => guard,
            None => locked_while_unwinding(),
        }
    }

    /// The value, unless a guard exists.
    #[inline]
    pub(crate) fn try_write(&self) -> Option<Writing<'_, T>> {
        if self.guards.load(Ordering::Relaxed) != 0 {
            return None;
        }
        self.guards.store(WRITER, Ordering::Relaxed);
        Some(Writing { storage: self, of_one_thread: PhantomData })
    }

    /// The value, for a task that the kernel has given the lock for reading.
    pub(crate) fn read(&self) -> Reading<'_, T> {
        let guards = self.guards.load(Ordering::Relaxed);
        if guards == WRITER {
            locked_while_unwinding();
        }
        self.guards.store(guards + 1, Ordering::Relaxed);
        Reading { storage: self, of_one_thread: PhantomData }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    pub(crate) fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T> fmt::Debug for Storage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").finish_non_exhaustive()
    }
}

/// The only reference to the value.
pub(crate) struct Writing<'a, T> {
    storage: &'a Storage<T>,
    /// Makes the guard neither `Send` nor `Sync`.
    of_one_thread: PhantomData<*mut T>,
}

#[expect(unsafe_code, reason = "the guard is the only one; see the arguments at the blocks")]
impl<T> Writing<'_, T> {
    #[inline]
    pub(crate) fn get(&self) -> &T {
        // SAFETY: `try_write` creates a guard only if none exists, and sets `guards` to `WRITER`. Until this guard's
        // drop resets it, `read` and `try_write` create no other guard. `Sync` above says why one OS thread is enough.
        unsafe { &*self.storage.value.get() }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> &mut T {
        // SAFETY: as for `get`; the guard itself is borrowed exclusively.
        unsafe { &mut *self.storage.value.get() }
    }
}

impl<T> Drop for Writing<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.storage.guards.store(0, Ordering::Relaxed);
    }
}

/// One of the references to the value for reading.
pub(crate) struct Reading<'a, T> {
    storage: &'a Storage<T>,
    /// Makes the guard neither `Send` nor `Sync`.
    of_one_thread: PhantomData<*const T>,
}

#[expect(unsafe_code, reason = "no guard writes meanwhile; see the argument at the block")]
impl<T> Reading<'_, T> {
    pub(crate) fn get(&self) -> &T {
        // SAFETY: `read` creates a guard only if there is no writer, and counts it; `try_write` creates none while the
        // count is not zero.
        unsafe { &*self.storage.value.get() }
    }
}

impl<T> Drop for Reading<'_, T> {
    fn drop(&mut self) {
        let guards = self.storage.guards.load(Ordering::Relaxed);
        self.storage.guards.store(guards - 1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_excludes_others_until_its_guard_is_dropped() {
        let storage = Storage::new(1);
        let mut writing = storage.try_write().expect("no guard");
        *writing.get_mut() += 1;
        assert!(storage.try_write().is_none());
        drop(writing);
        let (one, other) = (storage.read(), storage.read());
        assert_eq!((*one.get(), *other.get()), (2, 2));
        drop(one);
        assert!(storage.try_write().is_none());
        drop(other);
        assert!(storage.try_write().is_some());
        assert_eq!(storage.into_inner(), 2);
    }
}
