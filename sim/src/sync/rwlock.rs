//! `RwLock`.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;

use super::{clean, locked_while_unwinding};
use crate::engine::sched::LockMode;
use crate::engine::{self, Arm, loom as loom_engine, sched};
use crate::op::{ObjectId, OpKind};

/// Many readers or one writer, as [`std::sync::RwLock`], never poisoned.
pub struct RwLock<T> {
    object: ObjectId,
    imp: Imp<T>,
}

enum Imp<T> {
    Std(std::sync::RwLock<T>),
    Sched(std::sync::RwLock<T>),
    Loom(loom::sync::RwLock<T>),
}

/// Holds the lock for reading until it is dropped.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct RwLockReadGuard<'a, T> {
    object: ObjectId,
    inner: Read<'a, T>,
    location: &'static Location<'static>,
}

enum Read<'a, T> {
    Std(std::sync::RwLockReadGuard<'a, T>),
    Loom(loom::sync::RwLockReadGuard<'a, T>),
    Released,
}

/// Holds the lock for writing until it is dropped.
#[must_use = "the lock is given back when the guard is dropped"]
pub struct RwLockWriteGuard<'a, T> {
    object: ObjectId,
    inner: Write<'a, T>,
    location: &'static Location<'static>,
}

enum Write<'a, T> {
    Std(std::sync::RwLockWriteGuard<'a, T>),
    Loom(loom::sync::RwLockWriteGuard<'a, T>),
    Released,
}

impl<T> RwLock<T> {
    /// A free lock around `value`.
    pub fn new(value: T) -> RwLock<T> {
        RwLock::named("rwlock", value)
    }

    /// A free lock that tables and deadlock reports call `name`.
    pub fn named(name: &'static str, value: T) -> RwLock<T> {
        let imp = match engine::arm() {
            Arm::Std | Arm::Threads => Imp::Std(std::sync::RwLock::new(value)),
            Arm::Sched => Imp::Sched(std::sync::RwLock::new(value)),
            Arm::Loom => Imp::Loom(loom::sync::RwLock::new(value)),
        };
        RwLock { object: engine::object(name), imp }
    }

    /// Takes the lock for reading; waits while a writer holds it.
    #[track_caller]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        let location = Location::caller();
        let inner = match &self.imp {
            Imp::Std(lock) => Read::Std(clean(lock.read())),
            Imp::Loom(lock) => {
                loom_engine::not_unwinding();
                Read::Loom(clean(lock.read()))
            }
            Imp::Sched(lock) => {
                sched::lock(self.object, LockMode::Shared, OpKind::ReadLock, location);
                match lock.try_read() {
                    Ok(guard) => Read::Std(guard),
                    Err(std::sync::TryLockError::Poisoned(guard)) => Read::Std(guard.into_inner()),
                    Err(std::sync::TryLockError::WouldBlock) => locked_while_unwinding(),
                }
            }
        };
        engine::after(OpKind::ReadLock, self.object, location);
        RwLockReadGuard { object: self.object, inner, location }
    }

    /// Takes the lock for writing; waits while anybody holds it.
    #[track_caller]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        let location = Location::caller();
        let inner = match &self.imp {
            Imp::Std(lock) => Write::Std(clean(lock.write())),
            Imp::Loom(lock) => {
                loom_engine::not_unwinding();
                Write::Loom(clean(lock.write()))
            }
            Imp::Sched(lock) => {
                sched::lock(self.object, LockMode::Exclusive, OpKind::WriteLock, location);
                match lock.try_write() {
                    Ok(guard) => Write::Std(guard),
                    Err(std::sync::TryLockError::Poisoned(guard)) => Write::Std(guard.into_inner()),
                    Err(std::sync::TryLockError::WouldBlock) => locked_while_unwinding(),
                }
            }
        };
        engine::after(OpKind::WriteLock, self.object, location);
        RwLockWriteGuard { object: self.object, inner, location }
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RwLock").field("object", &self.object).finish_non_exhaustive()
    }
}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.inner {
            Read::Std(guard) => guard,
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
            Write::Loom(guard) => guard,
            Write::Released => unreachable!("invariant: a guard is released only by its drop"),
        }
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.inner {
            Write::Std(guard) => guard,
            Write::Loom(guard) => guard,
            Write::Released => unreachable!("invariant: a guard is released only by its drop"),
        }
    }
}

fn gave_back(object: ObjectId, location: &'static Location<'static>) {
    if object != ObjectId::NONE && engine::arm() == Arm::Sched {
        sched::unlock(object, OpKind::RwUnlock, location);
    }
    engine::after(OpKind::RwUnlock, object, location);
}

impl<T> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        if matches!(self.inner, Read::Loom(_)) {
            loom_engine::not_unwinding();
        }
        self.inner = Read::Released;
        gave_back(self.object, self.location);
    }
}

impl<T> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        if matches!(self.inner, Write::Loom(_)) {
            loom_engine::not_unwinding();
        }
        self.inner = Write::Released;
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
