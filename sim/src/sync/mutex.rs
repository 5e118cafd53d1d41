//! `Mutex`.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

use kernel::record::{Op, OpKind};
use kernel::sync::lock::Mode;

use super::locked_while_unwinding;
use super::storage::{Storage, Writing};
use crate::engine::loom::Poison;
use crate::engine::{self, Object, loom as loom_engine};
use crate::loom_or_std as loom;
use crate::session::{Backend, arm};
use crate::unpoisoned::clean;

/// A mutex like [`std::sync::Mutex`], but never poisoned.
pub struct Mutex<T> {
    pub(super) object: Object,
    imp: Imp<T>,
}

enum Imp<T> {
    Std(std::sync::Mutex<T>),
    Sched(Storage<T>),
    Loom(loom::sync::Mutex<T>, Poison),
}

/// Holds the lock until it is dropped.
#[must_use = "the lock is released when the guard is dropped"]
pub struct MutexGuard<'a, T> {
    pub(super) mutex: &'a Mutex<T>,
    pub(super) inner: Inner<'a, T>,
    location: &'static Location<'static>,
}

pub(super) enum Inner<'a, T> {
    Std(std::sync::MutexGuard<'a, T>),
    Sched(Writing<'a, T>),
    Loom(loom::sync::MutexGuard<'a, T>),
    /// The lock was released, or a condition variable has released it for the duration of a wait.
    Released,
}

impl<T> Mutex<T> {
    /// A free lock around `value`.
    #[track_caller]
    pub fn new(value: T) -> Mutex<T> {
        Mutex::named("mutex", value)
    }

    /// A free lock that tables and deadlock reports call `name`.
    #[track_caller]
    pub fn named(name: &'static str, value: T) -> Mutex<T> {
        let imp = match arm() {
            Backend::Std | Backend::Threads => Imp::Std(std::sync::Mutex::new(value)),
            Backend::Sched => Imp::Sched(Storage::new(value)),
            Backend::Loom => Imp::Loom(loom::sync::Mutex::new(value), Poison::default()),
        };
        Mutex { object: Object::new(name), imp }
    }

    /// Takes the lock; waits while another task holds it.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let location = Location::caller();
        match &self.imp {
            Imp::Std(mutex) if self.object.is_plain() => {
                MutexGuard { mutex: self, inner: Inner::Std(clean(mutex.lock())), location }
            }
            Imp::Sched(storage) => self.lock_scheduled(storage, location),
            _ => self.lock_at(location),
        }
    }

    /// Not inlined, so that the code of a plain lock stays short at each call.
    #[inline(never)]
    fn lock_scheduled<'a>(
        &'a self,
        storage: &'a Storage<T>,
        location: &'static Location<'static>,
    ) -> MutexGuard<'a, T> {
        if let Some(kernel) = self.object.kernel(location) {
            kernel.lock(self.object.id(), Mode::Exclusive, OpKind::Lock, location);
        } else {
            locked_while_unwinding();
        }
        MutexGuard { mutex: self, inner: Inner::Sched(storage.write()), location }
    }

    #[inline(never)]
    fn lock_at(&self, location: &'static Location<'static>) -> MutexGuard<'_, T> {
        self.object.admits(location);
        let inner = match &self.imp {
            Imp::Std(mutex) => Inner::Std(clean(mutex.lock())),
            Imp::Loom(mutex, poison) => {
                poison.refuse(location);
                let op = Op { kind: OpKind::Lock, object: self.object.id(), location };
                loom_engine::record_wait(op, loom_engine::Need::Lock);
                Inner::Loom(lock_of_loom(mutex))
            }
            Imp::Sched(storage) => return self.lock_scheduled(storage, location),
        };
        engine::after(OpKind::Lock, self.object.id(), location);
        MutexGuard { mutex: self, inner, location }
    }

    /// Takes the lock if it is free.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let location = Location::caller();
        let kernel = self.object.kernel_if_current();
        if kernel.is_none() {
            self.object.admits(location);
        }
        let inner = match &self.imp {
            Imp::Std(mutex) => match mutex.try_lock() {
                Ok(guard) => Some(Inner::Std(guard)),
                Err(std::sync::TryLockError::Poisoned(guard)) => Some(Inner::Std(guard.into_inner())),
                Err(std::sync::TryLockError::WouldBlock) => None,
            },
            Imp::Loom(mutex, poison) => {
                poison.refuse(location);
                let _quiet = loom_engine::before_nonblocking_op();
                let taken = mutex.try_lock().ok().map(Inner::Loom);
                if taken.is_some() {
                    loom_engine::note_change();
                }
                taken
            }
            Imp::Sched(storage) => {
                let kernel = kernel?;
                match kernel.try_lock(self.object.id(), Mode::Exclusive, OpKind::TryLock, location) {
                    Some(false) => None,
                    Some(true) => Some(Inner::Sched(storage.write())),
                    None => storage.try_write().map(Inner::Sched),
                }
            }
        };
        engine::after(OpKind::TryLock, self.object.id(), location);
        inner.map(|inner| MutexGuard { mutex: self, inner, location })
    }

    /// The value, without locking: a mutable borrow proves that the lock is free.
    pub fn get_mut(&mut self) -> &mut T {
        match &mut self.imp {
            Imp::Std(mutex) => clean(mutex.get_mut()),
            Imp::Sched(storage) => storage.get_mut(),
            Imp::Loom(mutex, _) => clean(mutex.get_mut()),
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        match self.imp {
            Imp::Std(mutex) => clean(mutex.into_inner()),
            Imp::Sched(storage) => storage.into_inner(),
            Imp::Loom(mutex, _) => clean(mutex.into_inner()),
        }
    }

    /// Whether it is a std lock, for which a task waits without the engine.
    pub(super) fn is_std(&self) -> bool {
        matches!(self.imp, Imp::Std(_))
    }

    /// Takes the inner guard again after a wait on a condition variable. Under the kernel the wait has already taken
    /// the lock.
    pub(super) fn retake(&self) -> Inner<'_, T> {
        match &self.imp {
            Imp::Sched(storage) => Inner::Sched(storage.write()),
            Imp::Std(mutex) => Inner::Std(clean(mutex.lock())),
            Imp::Loom(mutex, _) => Inner::Loom(lock_of_loom(mutex)),
        }
    }
}

/// A destructor that runs while a panic unwinds takes the lock if it is free, and cannot wait for it.
fn lock_of_loom<T>(mutex: &loom::sync::Mutex<T>) -> loom::sync::MutexGuard<'_, T> {
    let quiet = loom_engine::before_nonblocking_op();
    if std::thread::panicking()
        && let Ok(guard) = mutex.try_lock()
    {
        return guard;
    }
    drop(quiet);
    loom_engine::may_wait();
    clean(mutex.lock())
}

impl<'a, T> MutexGuard<'a, T> {
    /// Takes out the inner guard for a condition variable, which releases the lock as part of a wait.
    pub(super) fn suspend(&mut self) -> Inner<'a, T> {
        std::mem::replace(&mut self.inner, Inner::Released)
    }
}

impl<T: Default> Default for Mutex<T> {
    #[track_caller]
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The value is not shown: reading it would be an operation.
        f.debug_struct("Mutex").field("object", &self.object.id()).finish_non_exhaustive()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        match &self.inner {
            Inner::Std(guard) => guard,
            Inner::Sched(guard) => guard.get(),
            Inner::Loom(guard) => guard,
            Inner::Released => unreachable!("invariant: a guard is released only by its drop or a wait"),
        }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.inner {
            Inner::Std(guard) => guard,
            Inner::Sched(guard) => guard.get_mut(),
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
    #[inline]
    fn drop(&mut self) {
        // The guard of a plain lock is dropped as a field.
        if !(matches!(self.inner, Inner::Std(_)) && self.mutex.object.is_plain()) {
            self.give_back();
        }
    }
}

impl<T> MutexGuard<'_, T> {
    #[inline(never)]
    fn give_back(&mut self) {
        match std::mem::replace(&mut self.inner, Inner::Released) {
            Inner::Sched(guard) => {
                // The guard of the value is dropped first: the kernel may let the next holder run at once. The
                // scheduling point is before the release, so that a `try_lock` can see the lock held.
                drop(guard);
                if let Some(kernel) = self.mutex.object.kernel_if_current() {
                    kernel.unlock(self.mutex.object.id(), OpKind::Unlock, self.location);
                }
            }
            Inner::Std(guard) => {
                drop(guard);
                engine::after(OpKind::Unlock, self.mutex.object.id(), self.location);
            }
            Inner::Loom(guard) => {
                if let Imp::Loom(_, poison) = &self.mutex.imp {
                    poison.note();
                }
                let _quiet = loom_engine::before_nonblocking_op();
                drop(guard);
                engine::after(OpKind::Unlock, self.mutex.object.id(), self.location);
            }
            Inner::Released => {}
        }
    }
}
