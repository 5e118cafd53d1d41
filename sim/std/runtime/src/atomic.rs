//! `std::sync::atomic`: the real atomics, with a scheduling point before each operation and, at random, after it.
//!
//! A weak compare-and-exchange may fail spuriously, as on other processors, while another task has not ended. Values
//! are sequentially consistent: a weaker order has no effect here.
#![expect(missing_docs, clippy::missing_errors_doc, reason = "the names and their contracts are std's")]

use std::fmt;
use std::panic::Location;
use std::sync::atomic as real;

pub use std::sync::atomic::Ordering;

use lastref_kernel::record::{Op, OpKind};

use crate::objects::Objects;
use crate::run::{Run, current};

/// A load or a store: the point, the operation, and the point after it.
#[inline]
fn operate<R>(
    kind: OpKind,
    address: usize,
    label: &'static str,
    location: &'static Location<'static>,
    effect: impl FnOnce() -> R,
) -> R {
    let Some(run) = current() else { return effect() };
    arrive(run, kind, address, label, location);
    let result = effect();
    run.after(location);
    result
}

/// The point before an atomic operation.
#[inline(never)]
fn arrive(run: &'static Run, kind: OpKind, address: usize, label: &'static str, location: &'static Location<'static>) {
    run.host(|| {
        let object = run.object(address, label);
        // The kernel's own functions for atomics would also update the vector clocks of plain cells, which these runs
        // do not have.
        run.kernel.point(Op { kind, object, location });
        run.has_done(location);
    });
}

/// A compare-and-exchange. `effect` returns whether it wrote.
#[inline]
fn exchange<T>(
    address: usize,
    label: &'static str,
    location: &'static Location<'static>,
    mut effect: impl FnMut() -> Result<T, T>,
) -> Result<T, T> {
    modify(address, label, location, || {
        let outcome = effect();
        let changes = outcome.is_ok();
        (outcome, changes)
    })
}

/// A read-modify-write. `effect` also returns whether the value changed: a spinlock that calls `swap(true)` in a loop
/// only waits, and the kernel must see that its operations change nothing.
#[inline]
fn modify<R>(
    address: usize,
    label: &'static str,
    location: &'static Location<'static>,
    mut effect: impl FnMut() -> (R, bool),
) -> R {
    let Some(run) = current() else { return effect().0 };
    arrive(run, OpKind::Rmw, address, label, location);
    // Runs as the code of the task: if the memory was freed, the access must count as the task's crash.
    let (result, changes) = effect();
    if changes {
        run.host(|| run.kernel.has_changed());
    }
    run.after(location);
    result
}

/// Whether a weak compare-and-exchange fails although the value is as expected: one in 16, in runs with `weak` set and
/// while another task has not ended. A test of a single thread often expects success, and a failure there shows no
/// race.
#[inline]
fn fails_spuriously() -> bool {
    let fails = |run: &&'static Run| {
        run.settings.get().weak && run.host(|| run.draw()) & 15 == 0 && run.host(|| run.tasks.borrow().are_many())
    };
    let Some(run) = current().filter(fails) else { return false };
    run.spurious.set(run.spurious.get() + 1);
    true
}

/// Adds the spurious failure to the table of a recorded run.
fn remarks_failure(location: &'static Location<'static>) {
    if let Some(run) = current() {
        run.host(|| run.kernel.log(|log| log.remark(|| "the exchange fails spuriously".to_owned(), location)));
    }
}

macro_rules! common {
    ($name:ident, $value:ty, [$($generics:tt)*], [$($arguments:tt)*]) => {
        impl $($generics)* $name $($arguments)* {
            #[inline]
            pub const fn new(value: $value) -> Self {
                Self(real::$name::new(value))
            }

            /// # Safety
            /// As for std's.
            #[inline]
            pub const unsafe fn from_ptr<'a>(pointer: *mut $value) -> &'a Self {
                // SAFETY: the caller's promise is that of std's function, and this type is transparent.
                unsafe { &*pointer.cast::<Self>() }
            }

            #[inline]
            pub fn get_mut(&mut self) -> &mut $value {
                self.0.get_mut()
            }

            #[inline]
            pub const fn into_inner(self) -> $value {
                self.0.into_inner()
            }

            #[inline]
            pub const fn as_ptr(&self) -> *mut $value {
                self.0.as_ptr()
            }

            #[inline]
            fn address(&self) -> usize {
                std::ptr::from_ref(self).addr()
            }

            #[inline]
            #[track_caller]
            pub fn load(&self, order: Ordering) -> $value {
                operate(OpKind::Load, self.address(), stringify!($name), Location::caller(), || self.0.load(order))
            }

            #[inline]
            #[track_caller]
            pub fn store(&self, value: $value, order: Ordering) {
                let location = Location::caller();
                operate(OpKind::Store, self.address(), stringify!($name), location, || self.0.store(value, order))
            }

            #[inline]
            #[track_caller]
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                let location = Location::caller();
                modify(self.address(), stringify!($name), location, || {
                    let before = self.0.swap(value, order);
                    (before, before != value)
                })
            }

            #[inline]
            #[track_caller]
            pub fn compare_exchange(
                &self,
                expected: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                exchange(self.address(), stringify!($name), Location::caller(), || {
                    self.0.compare_exchange(expected, new, success, failure)
                })
            }

            #[inline]
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                expected: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                if fails_spuriously() {
                    let location = Location::caller();
                    return exchange(self.address(), stringify!($name), location, || {
                        remarks_failure(location);
                        Err(self.0.load(failure))
                    });
                }
                exchange(self.address(), stringify!($name), Location::caller(), || {
                    self.0.compare_exchange(expected, new, success, failure)
                })
            }

            #[inline]
            #[track_caller]
            #[deprecated = "use `compare_exchange` or `compare_exchange_weak`"]
            pub fn compare_and_swap(&self, expected: $value, new: $value, order: Ordering) -> $value {
                let failure = match order {
                    Ordering::Release => Ordering::Relaxed,
                    Ordering::AcqRel => Ordering::Acquire,
                    other => other,
                };
                self.compare_exchange(expected, new, order, failure).unwrap_or_else(|found| found)
            }

            #[inline]
            #[track_caller]
            pub fn fetch_update<F: FnMut($value) -> Option<$value>>(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut update: F,
            ) -> Result<$value, $value> {
                let mut found = self.load(fetch);
                while let Some(new) = update(found) {
                    match self.compare_exchange_weak(found, new, set, fetch) {
                        Ok(before) => return Ok(before),
                        Err(now) => found = now,
                    }
                }
                Err(found)
            }

            #[inline]
            #[track_caller]
            pub fn try_update(
                &self,
                set: Ordering,
                fetch: Ordering,
                update: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                self.fetch_update(set, fetch, update)
            }

            #[inline]
            #[track_caller]
            pub fn update(
                &self,
                set: Ordering,
                fetch: Ordering,
                mut update: impl FnMut($value) -> $value,
            ) -> $value {
                let mut found = self.load(fetch);
                loop {
                    match self.compare_exchange_weak(found, update(found), set, fetch) {
                        Ok(before) => return before,
                        Err(now) => found = now,
                    }
                }
            }
        }

        impl $($generics)* fmt::Debug for $name $($arguments)* {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl $($generics)* From<$value> for $name $($arguments)* {
            fn from(value: $value) -> Self {
                Self::new(value)
            }
        }
    };
}

macro_rules! fetches {
    ($name:ident, $value:ty: $($operation:ident)*) => {
        impl $name {
            $(
                #[inline]
                #[track_caller]
                pub fn $operation(&self, value: $value, order: Ordering) -> $value {
                    let location = Location::caller();
                    modify(self.address(), stringify!($name), location, || {
                        let before = self.0.$operation(value, order);
                        (before, before != self.0.load(Ordering::Relaxed))
                    })
                }
            )*
        }
    };
}

macro_rules! integers {
    ($($name:ident $value:ty),* $(,)?) => {
        $(
            #[repr(transparent)]
            pub struct $name(real::$name);

            common!($name, $value, [], []);
            fetches!($name, $value: fetch_add fetch_sub fetch_or fetch_and fetch_xor fetch_nand fetch_max fetch_min);

            impl Default for $name {
                fn default() -> Self {
                    Self::new(0)
                }
            }
        )*
    };
}

integers! {
    AtomicUsize usize,
    AtomicU64 u64,
    AtomicU32 u32,
    AtomicU16 u16,
    AtomicU8 u8,
    AtomicIsize isize,
    AtomicI64 i64,
    AtomicI32 i32,
    AtomicI16 i16,
    AtomicI8 i8,
}

#[repr(transparent)]
pub struct AtomicBool(real::AtomicBool);

common!(AtomicBool, bool, [], []);
fetches!(AtomicBool, bool: fetch_or fetch_and fetch_xor fetch_nand);

impl AtomicBool {
    #[inline]
    #[track_caller]
    pub fn fetch_not(&self, order: Ordering) -> bool {
        self.fetch_xor(true, order)
    }
}

impl Default for AtomicBool {
    fn default() -> Self {
        Self::new(false)
    }
}

#[repr(transparent)]
pub struct AtomicPtr<T>(real::AtomicPtr<T>);

common!(AtomicPtr, *mut T, [<T>], [<T>]);

macro_rules! pointer_fetches {
    ($($operation:ident)*) => {
        impl<T> AtomicPtr<T> {
            $(
                #[inline]
                #[track_caller]
                pub fn $operation(&self, value: usize, order: Ordering) -> *mut T {
                    let location = Location::caller();
                    modify(self.address(), "AtomicPtr", location, || {
                        let before = self.0.$operation(value, order);
                        (before, before != self.0.load(Ordering::Relaxed))
                    })
                }
            )*
        }
    };
}

pointer_fetches!(fetch_ptr_add fetch_ptr_sub fetch_byte_add fetch_byte_sub fetch_or fetch_and fetch_xor);

impl<T> AtomicPtr<T> {
    #[inline]
    pub const fn null() -> Self {
        Self::new(std::ptr::null_mut())
    }
}

impl<T> Default for AtomicPtr<T> {
    fn default() -> Self {
        Self::null()
    }
}

impl<T> fmt::Pointer for AtomicPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Pointer::fmt(&self.0, f)
    }
}

/// A fence: a scheduling point.
#[inline]
#[track_caller]
pub fn fence(order: Ordering) {
    if let Some(run) = current() {
        let location = Location::caller();
        // The kernel gets a load instead of a fence: it would count a fence as progress, and a waiting loop may contain
        // fences.
        let op = Op { kind: OpKind::Load, object: Objects::FENCE, location };
        run.host(|| run.kernel.point(op));
    }
    real::fence(order);
}

#[track_caller]
#[deprecated = "use hint::spin_loop"]
pub fn spin_loop_hint() {
    crate::run::spin_loop();
}

#[expect(clippy::declare_interior_mutable_const, reason = "std's deprecated constant")]
pub const ATOMIC_BOOL_INIT: AtomicBool = AtomicBool::new(false);
#[expect(clippy::declare_interior_mutable_const, reason = "std's deprecated constant")]
pub const ATOMIC_USIZE_INIT: AtomicUsize = AtomicUsize::new(0);
#[expect(clippy::declare_interior_mutable_const, reason = "std's deprecated constant")]
pub const ATOMIC_ISIZE_INIT: AtomicIsize = AtomicIsize::new(0);
