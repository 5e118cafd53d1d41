//! `std::sync::Once`, and the cells built on it: `OnceLock` and `LazyLock`.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync as real;
use std::sync::OnceState;

use lastref_kernel::record::OpKind;

use super::operate;

pub struct Once(real::Once);

#[expect(clippy::declare_interior_mutable_const, reason = "std's deprecated constant")]
pub const ONCE_INIT: Once = Once::new();

impl Once {
    #[inline]
    #[expect(clippy::new_without_default, reason = "std's has none")]
    pub const fn new() -> Self {
        Once(real::Once::new())
    }

    #[track_caller]
    pub fn call_once<F: FnOnce()>(&self, init: F) {
        operate(OpKind::Rmw, self, "Once", Location::caller(), || self.0.call_once(init));
    }

    #[track_caller]
    pub fn call_once_force<F: FnOnce(&OnceState)>(&self, init: F) {
        operate(OpKind::Rmw, self, "Once", Location::caller(), || self.0.call_once_force(init));
    }

    #[track_caller]
    pub fn is_completed(&self) -> bool {
        operate(OpKind::Load, self, "Once", Location::caller(), || self.0.is_completed())
    }

    #[track_caller]
    pub fn wait(&self) {
        operate(OpKind::Wait, self, "Once", Location::caller(), || self.0.wait());
    }

    #[track_caller]
    pub fn wait_force(&self) {
        operate(OpKind::Wait, self, "Once", Location::caller(), || self.0.wait_force());
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub struct OnceLock<T>(real::OnceLock<T>);

impl<T> OnceLock<T> {
    #[inline]
    pub const fn new() -> Self {
        OnceLock(real::OnceLock::new())
    }

    #[track_caller]
    pub fn get(&self) -> Option<&T> {
        operate(OpKind::Load, self, "OnceLock", Location::caller(), || self.0.get())
    }

    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.0.get_mut()
    }

    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        operate(OpKind::Rmw, self, "OnceLock", Location::caller(), || self.0.set(value))
    }

    #[track_caller]
    pub fn get_or_init<F: FnOnce() -> T>(&self, init: F) -> &T {
        operate(OpKind::Rmw, self, "OnceLock", Location::caller(), || self.0.get_or_init(init))
    }

    pub fn into_inner(self) -> Option<T> {
        self.0.into_inner()
    }

    pub fn take(&mut self) -> Option<T> {
        self.0.take()
    }

    #[track_caller]
    pub fn wait(&self) -> &T {
        operate(OpKind::Wait, self, "OnceLock", Location::caller(), || self.0.wait())
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        OnceLock::new()
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> Self {
        OnceLock(self.0.clone())
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> Self {
        OnceLock(real::OnceLock::from(value))
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

pub struct LazyLock<T, F = fn() -> T>(real::LazyLock<T, F>);

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    #[inline]
    pub const fn new(init: F) -> Self {
        LazyLock(real::LazyLock::new(init))
    }

    #[track_caller]
    pub fn force(this: &Self) -> &T {
        operate(OpKind::Rmw, this, "LazyLock", Location::caller(), || real::LazyLock::force(&this.0))
    }

    pub fn force_mut(this: &mut Self) -> &mut T {
        real::LazyLock::force_mut(&mut this.0)
    }
}

impl<T, F> LazyLock<T, F> {
    #[track_caller]
    pub fn get(this: &Self) -> Option<&T> {
        operate(OpKind::Load, this, "LazyLock", Location::caller(), || real::LazyLock::get(&this.0))
    }

    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        real::LazyLock::get_mut(&mut this.0)
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

impl<T, F: FnOnce() -> T> DerefMut for LazyLock<T, F> {
    fn deref_mut(&mut self) -> &mut T {
        LazyLock::force_mut(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    fn default() -> Self {
        LazyLock(real::LazyLock::default())
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}
