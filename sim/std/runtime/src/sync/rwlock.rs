//! `std::sync::RwLock`.

use std::fmt;
use std::panic::Location;
use std::sync as real;
use std::sync::{LockResult, RwLockReadGuard, RwLockWriteGuard, TryLockResult};

use lastref_kernel::record::OpKind;

use super::operate;

pub struct RwLock<T: ?Sized>(real::RwLock<T>);

impl<T> RwLock<T> {
    #[inline]
    pub const fn new(value: T) -> Self {
        RwLock(real::RwLock::new(value))
    }

    pub fn into_inner(self) -> LockResult<T> {
        self.0.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    #[track_caller]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        operate(OpKind::ReadLock, self, "RwLock", Location::caller(), || self.0.read())
    }

    #[track_caller]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        operate(OpKind::WriteLock, self, "RwLock", Location::caller(), || self.0.write())
    }

    #[track_caller]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        operate(OpKind::TryLock, self, "RwLock", Location::caller(), || self.0.try_read())
    }

    #[track_caller]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        operate(OpKind::TryLock, self, "RwLock", Location::caller(), || self.0.try_write())
    }

    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.0.get_mut()
    }

    #[track_caller]
    pub fn is_poisoned(&self) -> bool {
        operate(OpKind::Load, self, "RwLock", Location::caller(), || self.0.is_poisoned())
    }

    #[track_caller]
    pub fn clear_poison(&self) {
        operate(OpKind::Store, self, "RwLock", Location::caller(), || self.0.clear_poison());
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        RwLock::new(value)
    }
}
