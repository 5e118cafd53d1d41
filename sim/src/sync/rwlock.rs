//! `RwLock`.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

use kernel::record::{Op, OpKind};
use kernel::sync::lock::Mode;

use super::locked_while_unwinding;
use super::storage::{Reading, Storage, Writing};
use crate::engine::loom::Poison;
use crate::engine::{self, Object, loom as loom_engine};
use crate::loom_or_std as loom;
use crate::session::{Backend, arm};
use crate::unpoisoned::clean;

/// A lock for many readers or one writer, like [`std::sync::RwLock`], but never poisoned. std leaves open whether a
/// writer that waits keeps further readers out: the scheduled engines draw it for each lock.
pub struct RwLock<T> {
    object: Object,
    imp: Imp<T>,
}

enum Imp<T> {
    Std(std::sync::RwLock<T>),
    Sched(Storage<T>),
    Loom(loom::sync::RwLock<T>, Poison),
}

/// Holds the lock for reading until it is dropped.
#[must_use = "the lock is released when the guard is dropped"]
pub struct RwLockReadGuard<'a, T> {
    object: Object,
    inner: Read<'a, T>,
    location: &'static Location<'static>,
}

enum Read<'a, T> {
    Std(std::sync::RwLockReadGuard<'a, T>),
    Sched(Reading<'a, T>),
    Loom(loom::sync::RwLockReadGuard<'a, T>),
    Released,
}

/// Holds the lock for writing until it is dropped.
#[must_use = "the lock is released when the guard is dropped"]
pub struct RwLockWriteGuard<'a, T> {
    object: Object,
    inner: Write<'a, T>,
    location: &'static Location<'static>,
}

enum Write<'a, T> {
    Std(std::sync::RwLockWriteGuard<'a, T>),
    Sched(Writing<'a, T>),
    Loom(loom::sync::RwLockWriteGuard<'a, T>, &'a Poison),
    Released,
}

impl<T> RwLock<T> {
    /// A free lock around `value`.
    #[track_caller]
    pub fn new(value: T) -> RwLock<T> {
        RwLock::named("rwlock", value)
    }

    /// A free lock that tables and deadlock reports call `name`.
    #[track_caller]
    pub fn named(name: &'static str, value: T) -> RwLock<T> {
        let imp = match arm() {
            Backend::Std | Backend::Threads => Imp::Std(std::sync::RwLock::new(value)),
            Backend::Sched => Imp::Sched(Storage::new(value)),
            Backend::Loom => Imp::Loom(loom::sync::RwLock::new(value), Poison::default()),
        };
        RwLock { object: Object::new(name), imp }
    }

    /// Takes the lock for reading; waits while a writer holds it.
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        let location = Location::caller();
        self.object.admits(location);
        let inner = match &self.imp {
            Imp::Std(lock) => Read::Std(clean(lock.read())),
            Imp::Loom(lock, poison) => {
                poison.refuse(location);
                let op = Op { kind: OpKind::ReadLock, object: self.object.id(), location };
                loom_engine::record_wait(op, loom_engine::Need::Lock);
                Read::Loom(of_loom(lock, loom::sync::RwLock::try_read, loom::sync::RwLock::read))
            }
            Imp::Sched(storage) => {
                let Some(kernel) = self.object.kernel_if_current() else { locked_while_unwinding() };
                kernel.lock(self.object.id(), Mode::Shared, OpKind::ReadLock, location);
                Read::Sched(storage.read())
            }
        };
        engine::after(OpKind::ReadLock, self.object.id(), location);
        RwLockReadGuard { object: self.object, inner, location }
    }

    /// Takes the lock for writing; waits while any other task holds it.
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        let location = Location::caller();
        self.object.admits(location);
        let inner = match &self.imp {
            Imp::Std(lock) => Write::Std(clean(lock.write())),
            Imp::Loom(lock, poison) => {
                poison.refuse(location);
                let op = Op { kind: OpKind::WriteLock, object: self.object.id(), location };
                loom_engine::record_wait(op, loom_engine::Need::Lock);
                Write::Loom(of_loom(lock, loom::sync::RwLock::try_write, loom::sync::RwLock::write), poison)
            }
            Imp::Sched(storage) => {
                let Some(kernel) = self.object.kernel_if_current() else { locked_while_unwinding() };
                kernel.lock(self.object.id(), Mode::Exclusive, OpKind::WriteLock, location);
                Write::Sched(storage.write())
            }
        };
        engine::after(OpKind::WriteLock, self.object.id(), location);
        RwLockWriteGuard { object: self.object, inner, location }
    }
}

impl<T: Default> Default for RwLock<T> {
    #[track_caller]
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock").field("object", &self.object.id()).finish_non_exhaustive()
    }
}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.inner {
            Read::Std(guard) => guard,
            Read::Sched(guard) => guard.get(),
            Read::Loom(guard) => guard,
            Read::Released => unreachable!("invariant: a guard is released only by its drop"),
        }
    }
}

impl<T> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.inner {
            Write::Std(guard) => guard,
            Write::Sched(guard) => guard.get(),
            Write::Loom(guard, _) => guard,
            Write::Released => unreachable!("invariant: a guard is released only by its drop"),
        }
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.inner {
            Write::Std(guard) => guard,
            Write::Sched(guard) => guard.get_mut(),
            Write::Loom(guard, _) => guard,
            Write::Released => unreachable!("invariant: a guard is released only by its drop"),
        }
    }
}

/// A destructor that runs while a panic unwinds takes the lock if it is free, and cannot wait for it.
fn of_loom<'a, T, G, E>(
    lock: &'a loom::sync::RwLock<T>,
    attempt: impl FnOnce(&'a loom::sync::RwLock<T>) -> Result<G, E>,
    take: impl FnOnce(&'a loom::sync::RwLock<T>) -> std::sync::LockResult<G>,
) -> G {
    let quiet = loom_engine::before_nonblocking_op();
    if std::thread::panicking()
        && let Ok(guard) = attempt(lock)
    {
        return guard;
    }
    drop(quiet);
    loom_engine::may_wait();
    clean(take(lock))
}

fn gave_back(object: Object, location: &'static Location<'static>) {
    if let Some(kernel) = object.kernel_if_current() {
        kernel.unlock(object.id(), OpKind::RwUnlock, location);
    }
    engine::after(OpKind::RwUnlock, object.id(), location);
}

impl<T> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        let quiet = matches!(self.inner, Read::Loom(_)).then(loom_engine::before_nonblocking_op);
        self.inner = Read::Released;
        drop(quiet);
        gave_back(self.object, self.location);
    }
}

impl<T> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        if let Write::Loom(_, poison) = &self.inner {
            poison.note();
        }
        let quiet = matches!(self.inner, Write::Loom(..)).then(loom_engine::before_nonblocking_op);
        self.inner = Write::Released;
        drop(quiet);
        gave_back(self.object, self.location);
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
