//! `Mutex`.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

use super::{clean, locked_while_unwinding};
use crate::engine::sched::LockMode;
use crate::engine::{self, Arm, loom as loom_engine, sched};
use crate::op::{ObjectId, OpKind};

/// Mutual exclusion, as [`std::sync::Mutex`], never poisoned.
pub struct Mutex<T> {
    pub(super) object: ObjectId,
    imp: Imp<T>,
}

enum Imp<T> {
    /// Plain std, and the storage of the scheduled engine, which is never contended.
    Std(std::sync::Mutex<T>),
    Sched(std::sync::Mutex<T>),
    Loom(loom::sync::Mutex<T>),
}

/// Holds the lock until it is dropped.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct MutexGuard<'a, T> {
    pub(super) mutex: &'a Mutex<T>,
    pub(super) inner: Inner<'a, T>,
    location: &'static Location<'static>,
}

pub(super) enum Inner<'a, T> {
    Std(std::sync::MutexGuard<'a, T>),
    Sched(std::sync::MutexGuard<'a, T>),
    Loom(loom::sync::MutexGuard<'a, T>),
    /// Given back already, or by a condition variable for the time of a wait.
    Released,
}

impl<T> Mutex<T> {
    /// A free lock around `value`.
    pub fn new(value: T) -> Mutex<T> {
        Mutex::named("mutex", value)
    }

    /// A free lock that tables and deadlock reports call `name`.
    pub fn named(name: &'static str, value: T) -> Mutex<T> {
        let imp = match engine::arm() {
            Arm::Std | Arm::Threads => Imp::Std(std::sync::Mutex::new(value)),
            Arm::Sched => Imp::Sched(std::sync::Mutex::new(value)),
            Arm::Loom => Imp::Loom(loom::sync::Mutex::new(value)),
        };
        Mutex { object: engine::object(name), imp }
    }

    /// Takes the lock; waits while another holds it.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let location = Location::caller();
        let inner = match &self.imp {
            Imp::Std(mutex) => Inner::Std(clean(mutex.lock())),
            Imp::Loom(mutex) => {
                loom_engine::not_unwinding();
                Inner::Loom(clean(mutex.lock()))
            }
            Imp::Sched(mutex) => {
                sched::lock(self.object, LockMode::Exclusive, OpKind::Lock, location);
                Inner::Sched(self.storage(mutex))
            }
        };
        engine::after(OpKind::Lock, self.object, location);
        MutexGuard { mutex: self, inner, location }
    }

    /// Takes the lock if nobody holds it.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let location = Location::caller();
        let inner = match &self.imp {
            Imp::Std(mutex) => match mutex.try_lock() {
                Ok(guard) => Some(Inner::Std(guard)),
                Err(std::sync::TryLockError::Poisoned(guard)) => Some(Inner::Std(guard.into_inner())),
                Err(std::sync::TryLockError::WouldBlock) => None,
            },
            Imp::Loom(mutex) => {
                loom_engine::not_unwinding();
                mutex.try_lock().ok().map(Inner::Loom)
            }
            Imp::Sched(mutex) => match sched::try_lock(self.object, LockMode::Exclusive, OpKind::TryLock, location) {
                Some(false) => None,
                Some(true) => Some(Inner::Sched(self.storage(mutex))),
                None => mutex.try_lock().ok().map(Inner::Sched),
            },
        };
        engine::after(OpKind::TryLock, self.object, location);
        inner.map(|inner| MutexGuard { mutex: self, inner, location })
    }

    /// The value, without locking: a mutable borrow proves that nobody holds the lock.
    pub fn get_mut(&mut self) -> &mut T {
        match &mut self.imp {
            Imp::Std(mutex) | Imp::Sched(mutex) => clean(mutex.get_mut()),
            Imp::Loom(mutex) => clean(mutex.get_mut()),
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        match self.imp {
            Imp::Std(mutex) | Imp::Sched(mutex) => clean(mutex.into_inner()),
            Imp::Loom(mutex) => clean(mutex.into_inner()),
        }
    }

    fn storage<'a>(&self, mutex: &'a std::sync::Mutex<T>) -> std::sync::MutexGuard<'a, T> {
        match mutex.try_lock() {
            Ok(guard) => guard,
            Err(std::sync::TryLockError::Poisoned(guard)) => guard.into_inner(),
            Err(std::sync::TryLockError::WouldBlock) => locked_while_unwinding(),
        }
    }

    /// Takes the storage again after a condition variable has given the lock back to this task.
    pub(super) fn retake(&self) -> Inner<'_, T> {
        match &self.imp {
            Imp::Sched(mutex) => Inner::Sched(self.storage(mutex)),
            Imp::Std(mutex) => Inner::Std(clean(mutex.lock())),
            Imp::Loom(mutex) => Inner::Loom(clean(mutex.lock())),
        }
    }
}

impl<'a, T> MutexGuard<'a, T> {
    /// Gives the storage up without giving the lock back: the kernel does that as part of a wait.
    pub(super) fn suspend(&mut self) -> Inner<'a, T> {
        std::mem::replace(&mut self.inner, Inner::Released)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The value is not shown: looking at it would be an operation.
        f.debug_struct("Mutex").field("object", &self.object).finish_non_exhaustive()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.inner {
            Inner::Std(guard) | Inner::Sched(guard) => guard,
            Inner::Loom(guard) => guard,
            Inner::Released => unreachable!("invariant: a guard is released only by its drop or a wait"),
        }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.inner {
            Inner::Std(guard) | Inner::Sched(guard) => guard,
            Inner::Loom(guard) => guard,
            Inner::Released => unreachable!("invariant: a guard is released only by its drop or a wait"),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if matches!(self.inner, Inner::Loom(_)) {
            loom_engine::not_unwinding();
        }
        match std::mem::replace(&mut self.inner, Inner::Released) {
            Inner::Sched(guard) => {
                // The storage goes first: the kernel may let the next holder run at once. A point before the lock is
                // given back lets a `try_lock` see it held.
                drop(guard);
                sched::unlock(self.mutex.object, OpKind::Unlock, self.location);
            }
            Inner::Std(guard) => {
                drop(guard);
                engine::after(OpKind::Unlock, self.mutex.object, self.location);
            }
            Inner::Loom(guard) => {
                drop(guard);
                engine::after(OpKind::Unlock, self.mutex.object, self.location);
            }
            Inner::Released => {}
        }
    }
}
