//! `std::sync::Mutex`.

use std::fmt;
use std::panic::Location;
use std::sync as real;
use std::sync::{LockResult, MutexGuard, TryLockResult};

use lastref_kernel::record::OpKind;

use super::operate;

pub struct Mutex<T: ?Sized>(real::Mutex<T>);

impl<T> Mutex<T> {
    #[inline]
    pub const fn new(value: T) -> Self {
        Mutex(real::Mutex::new(value))
    }

    pub fn into_inner(self) -> LockResult<T> {
        self.0.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        operate(OpKind::Lock, self, "Mutex", Location::caller(), || self.0.lock())
    }

    #[track_caller]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        operate(OpKind::TryLock, self, "Mutex", Location::caller(), || self.0.try_lock())
    }

    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.0.get_mut()
    }

    #[track_caller]
    pub fn is_poisoned(&self) -> bool {
        operate(OpKind::Load, self, "Mutex", Location::caller(), || self.0.is_poisoned())
    }

    #[track_caller]
    pub fn clear_poison(&self) {
        operate(OpKind::Store, self, "Mutex", Location::caller(), || self.0.clear_poison());
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Mutex::new(value)
    }
}
