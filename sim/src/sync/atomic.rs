//! Atomics and fences.
//!
//! Under loom atomics have C11's weak memory. Under the scheduled engines a load returns the latest value, whatever its
//! ordering; the orderings determine only what happens before what. A cell guarded by a relaxed flag is therefore a
//! data race there too, but only loom finds a bug that needs a stale value.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitXor};
use std::panic::Location;
pub use std::sync::atomic::Ordering;

use kernel::record::{ObjectId, OpKind};

use crate::engine::{self, Object, loom as loom_engine};
use crate::loom_or_std as loom;
use crate::session::{self, Backend, arm};

/// Orders the operations around it, like [`std::sync::atomic::fence`].
///
/// # Panics
/// At [`Ordering::Relaxed`], as std's.
#[track_caller]
pub fn fence(order: Ordering) {
    assert!(order != Ordering::Relaxed, "there is no such thing as a relaxed fence");
    let location = Location::caller();
    if let Some(kernel) = session::kernel() {
        return kernel.fence(order, location);
    }
    match arm() {
        Backend::Std | Backend::Threads | Backend::Sched => std::sync::atomic::fence(order),
        Backend::Loom => {
            let _quiet = loom_engine::before_nonblocking_op();
            loom::sync::atomic::fence(order);
        }
    }
    engine::after(OpKind::Fence, ObjectId::NONE, location);
}

/// Only one OS thread accesses the storage of a scheduled atomic, so a read-modify-write may be a load and a store.
const STORED: Ordering = Ordering::Relaxed;

/// Panics at the caller's line where std does. The scheduled engines use [`STORED`], at which std does not.
#[inline]
#[track_caller]
fn must_load(order: Ordering) {
    let is_load = matches!(order, Ordering::Relaxed | Ordering::Acquire | Ordering::SeqCst);
    assert!(is_load, "there is no such thing as a load with the ordering {order:?}");
}

/// Like [`must_load`].
#[inline]
#[track_caller]
fn must_store(order: Ordering) {
    let is_store = matches!(order, Ordering::Relaxed | Ordering::Release | Ordering::SeqCst);
    assert!(is_store, "there is no such thing as a store with the ordering {order:?}");
}

macro_rules! atomic {
    ($(#[$doc:meta])* $name:ident, $value:ty) => {
        $(#[$doc])*
        pub struct $name {
            object: Object,
            imp: imp::$name,
        }

        impl $name {
            /// Holds `value`.
            #[track_caller]
            pub fn new(value: $value) -> $name {
                $name::named(stringify!($name), value)
            }

            /// Holds `value`; tables call it `name`.
            #[track_caller]
            pub fn named(name: &'static str, value: $value) -> $name {
                let std = || std::sync::atomic::$name::new(value);
                let imp = match arm() {
                    Backend::Std | Backend::Threads => imp::$name::Std(std()),
                    Backend::Sched => imp::$name::Sched(std()),
                    Backend::Loom => imp::$name::Loom(loom_engine::Probed::new(loom::sync::atomic::$name::new(value))),
                };
                $name { object: Object::new(name), imp }
            }

            /// Reads the value.
            #[inline]
            #[track_caller]
            pub fn load(&self, order: Ordering) -> $value {
                match &self.imp {
                    imp::$name::Std(atomic) if self.object.is_plain() => atomic.load(order),
                    _ => {
                        must_load(order);
                        self.load_at(order, Location::caller())
                    }
                }
            }

            fn load_at(&self, order: Ordering, location: &'static Location<'static>) -> $value {
                if let imp::$name::Sched(atomic) = &self.imp {
                    if let Some(kernel) = self.object.kernel(location) {
                        kernel.atomic_load(self.object.id(), order, location);
                    }
                    return atomic.load(STORED);
                }
                self.object.admits(location);
                let value = match &self.imp {
                    imp::$name::Std(atomic) | imp::$name::Sched(atomic) => atomic.load(order),
                    imp::$name::Loom(atomic) => {
                        let _quiet = loom_engine::before_nonblocking_op();
                        atomic.read(|atomic| atomic.load(order))
                    }
                };
                engine::after(OpKind::Load, self.object.id(), location);
                value
            }

            /// Writes the value.
            #[inline]
            #[track_caller]
            pub fn store(&self, value: $value, order: Ordering) {
                match &self.imp {
                    imp::$name::Std(atomic) if self.object.is_plain() => atomic.store(value, order),
                    _ => {
                        must_store(order);
                        self.store_at(value, order, Location::caller());
                    }
                }
            }

            fn store_at(&self, value: $value, order: Ordering, location: &'static Location<'static>) {
                if let imp::$name::Sched(atomic) = &self.imp {
                    if let Some(kernel) = self.object.kernel(location) {
                        kernel.atomic_store(self.object.id(), order, location);
                    }
                    return atomic.store(value, STORED);
                }
                self.object.admits(location);
                match &self.imp {
                    imp::$name::Std(atomic) | imp::$name::Sched(atomic) => atomic.store(value, order),
                    imp::$name::Loom(atomic) => {
                        let _quiet = loom_engine::before_nonblocking_op();
                        atomic.write(|atomic| atomic.store(value, order));
                    }
                }
                engine::after(OpKind::Store, self.object.id(), location);
            }

            /// Writes the value and returns the previous one.
            #[inline]
            #[track_caller]
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                self.rmw(
                    order,
                    Location::caller(),
                    |_| value,
                    |atomic, order| atomic.swap(value, order),
                    |atomic, order| atomic.swap(value, order),
                )
            }

            /// Writes `new` if the value is `current`, and returns the previous value.
            ///
            /// # Errors
            /// The value that was found, if it is not `current`.
            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                must_load(failure);
                let location = Location::caller();
                if let imp::$name::Sched(atomic) = &self.imp {
                    if let Some(kernel) = self.object.kernel(location) {
                        kernel.atomic_exchange(self.object.id(), OpKind::Rmw, location, || {
                            let written = atomic.load(STORED) == current;
                            if written { Ok(success) } else { Err(failure) }
                        });
                    }
                    return atomic.compare_exchange(current, new, STORED, STORED);
                }
                self.object.admits(location);
                let result = match &self.imp {
                    imp::$name::Std(atomic) | imp::$name::Sched(atomic) => {
                        atomic.compare_exchange(current, new, success, failure)
                    }
                    imp::$name::Loom(atomic) => {
                        let _quiet = loom_engine::before_nonblocking_op();
                        let result = atomic.write(|atomic| atomic.compare_exchange(current, new, success, failure));
                        if result.is_ok() {
                            loom_engine::note_change();
                        }
                        result
                    }
                };
                engine::after(OpKind::Rmw, self.object.id(), location);
                result
            }

            /// Like [`Self::compare_exchange`]: it has no spurious failures here.
            ///
            /// # Errors
            /// The value that was found, if it is not `current`.
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }

            #[inline]
            fn rmw(
                &self,
                order: Ordering,
                location: &'static Location<'static>,
                plain: impl Fn($value) -> $value,
                std: impl Fn(&std::sync::atomic::$name, Ordering) -> $value,
                loom: impl Fn(&loom::sync::atomic::$name, Ordering) -> $value,
            ) -> $value {
                match &self.imp {
                    imp::$name::Std(atomic) if self.object.is_plain() => std(atomic, order),
                    _ => self.rmw_at(order, location, plain, std, loom),
                }
            }

            fn rmw_at(
                &self,
                order: Ordering,
                location: &'static Location<'static>,
                plain: impl Fn($value) -> $value,
                std: impl Fn(&std::sync::atomic::$name, Ordering) -> $value,
                loom: impl Fn(&loom::sync::atomic::$name, Ordering) -> $value,
            ) -> $value {
                if let imp::$name::Sched(atomic) = &self.imp {
                    if let Some(kernel) = self.object.kernel(location) {
                        kernel.atomic_rmw(self.object.id(), OpKind::Rmw, order, location);
                    }
                    let before = atomic.load(STORED);
                    atomic.store(plain(before), STORED);
                    return before;
                }
                self.object.admits(location);
                let value = match &self.imp {
                    imp::$name::Std(atomic) | imp::$name::Sched(atomic) => std(atomic, order),
                    imp::$name::Loom(atomic) => {
                        let _quiet = loom_engine::before_nonblocking_op();
                        loom_engine::note_change();
                        atomic.write(|atomic| loom(atomic, order))
                    }
                };
                engine::after(OpKind::Rmw, self.object.id(), location);
                value
            }
        }

        impl Default for $name {
            #[track_caller]
            fn default() -> $name {
                $name::new(<$value>::default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("object", &self.object.id()).finish_non_exhaustive()
            }
        }
    };
}

macro_rules! fetch {
    ($name:ident, $value:ty, $($(#[$doc:meta])* $method:ident = $plain:expr),+) => {
        impl $name {
            $(
                $(#[$doc])*
                #[inline]
                #[track_caller]
                pub fn $method(&self, value: $value, order: Ordering) -> $value {
                    self.rmw(
                        order,
                        Location::caller(),
                        |before| $plain(before, value),
                        |atomic, order| atomic.$method(value, order),
                        |atomic, order| atomic.$method(value, order),
                    )
                }
            )+
        }
    };
}

macro_rules! integer {
    ($(#[$doc:meta])* $name:ident, $value:ty) => {
        atomic!($(#[$doc])* $name, $value);
        fetch!($name, $value,
            /// Adds, wrapping; returns the previous value.
            fetch_add = <$value>::wrapping_add,
            /// Subtracts, wrapping; returns the previous value.
            fetch_sub = <$value>::wrapping_sub,
            /// Bitwise and; returns the previous value.
            fetch_and = BitAnd::bitand,
            /// Bitwise or; returns the previous value.
            fetch_or = BitOr::bitor,
            /// Bitwise exclusive or; returns the previous value.
            fetch_xor = BitXor::bitxor,
            /// Stores the larger of the two; returns the previous value.
            fetch_max = Ord::max,
            /// Stores the smaller of the two; returns the previous value.
            fetch_min = Ord::min
        );
    };
}

mod imp {
    use crate::engine::loom::Probed;

    macro_rules! arms {
        ($($name:ident),+) => {
            $(
                pub(super) enum $name {
                    Std(std::sync::atomic::$name),
                    Sched(std::sync::atomic::$name),
                    Loom(Probed<crate::loom_or_std::sync::atomic::$name>),
                }
            )+
        };
    }

    arms!(AtomicBool, AtomicU32, AtomicU64, AtomicUsize, AtomicI64);
}

atomic!(
    /// An atomic `bool`, as [`std::sync::atomic::AtomicBool`].
    AtomicBool, bool
);
fetch!(AtomicBool, bool,
    /// Logical and; returns the previous value.
    fetch_and = BitAnd::bitand,
    /// Logical or; returns the previous value.
    fetch_or = BitOr::bitor,
    /// Logical exclusive or; returns the previous value.
    fetch_xor = BitXor::bitxor
);
integer!(
    /// An atomic `u32`, as [`std::sync::atomic::AtomicU32`].
    AtomicU32, u32
);
integer!(
    /// An atomic `u64`, as [`std::sync::atomic::AtomicU64`]: a counter, two counters in one word, or an index where C
    /// has a pointer.
    AtomicU64, u64
);
integer!(
    /// An atomic `usize`, as [`std::sync::atomic::AtomicUsize`]: a counter, or an index where C has a pointer.
    AtomicUsize, usize
);
integer!(
    /// An atomic `i64`, as [`std::sync::atomic::AtomicI64`].
    AtomicI64, i64
);
