//! The stand-in for std: re-exports the real std, with some names replaced.
//!
//! A name in two globs is ambiguous, and if one of the globs is a prelude, the real name silently wins. Each replaced
//! name is therefore listed, since an explicit name takes precedence over a glob. `runtime/tests/standin/paths.rs`
//! proves that each is ours. This crate and the one named `core` are not members of the workspace, since cargo cannot
//! distinguish two crates named `std`. rustc compiles them; see `sim/std/README.md`.
#![no_std]

#[doc(hidden)]
pub extern crate std as __real;

#[doc(hidden)]
pub use lastref_runtime as __lastref;

pub use __real::*;

pub mod prelude {
    pub mod v1 {
        pub use __real::prelude::v1::*;

        pub use crate::thread_local;
        pub use lastref_macros::{global_allocator, test};
    }

    pub mod rust_2015 {
        pub use __real::prelude::rust_2015::*;

        pub use crate::thread_local;
        pub use lastref_macros::{global_allocator, test};
    }

    pub mod rust_2018 {
        pub use __real::prelude::rust_2018::*;

        pub use crate::thread_local;
        pub use lastref_macros::{global_allocator, test};
    }

    pub mod rust_2021 {
        pub use __real::prelude::rust_2021::*;

        pub use crate::thread_local;
        pub use lastref_macros::{global_allocator, test};
    }

    pub mod rust_2024 {
        pub use __real::prelude::rust_2024::*;

        pub use crate::thread_local;
        pub use lastref_macros::{global_allocator, test};
    }
}

pub mod hint {
    pub use __real::hint::*;

    pub use lastref_runtime::spin_loop;
}

pub mod sync {
    pub use __real::sync::*;

    pub use lastref_runtime::sync::{Barrier, Condvar, LazyLock, Mutex, ONCE_INIT, Once, OnceLock, RwLock};

    pub mod atomic {
        pub use __real::sync::atomic::*;

        pub use lastref_runtime::atomic::{
            ATOMIC_BOOL_INIT, ATOMIC_ISIZE_INIT, ATOMIC_USIZE_INIT, AtomicBool, AtomicI8, AtomicI16, AtomicI32,
            AtomicI64, AtomicIsize, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, fence,
            spin_loop_hint,
        };
    }

    pub mod mpsc {
        pub use __real::sync::mpsc::*;

        pub use lastref_runtime::mpsc::{IntoIter, Iter, Receiver, Sender, SyncSender, TryIter, channel, sync_channel};
    }
}

pub mod thread {
    pub use __real::thread::*;

    pub use lastref_runtime::thread::{
        AccessError, Builder, JoinHandle, LocalKey, Scope, ScopedJoinHandle, Thread, ThreadId, available_parallelism,
        current, park, park_timeout, park_timeout_ms, scope, sleep, sleep_ms, spawn, yield_now,
    };
}

/// A thread-local value: one per task inside a run, and real std's outside a run. The key is a constant, as in std,
/// since some programs copy it. So its identity is that of a static.
#[macro_export]
macro_rules! thread_local {
    () => {};

    ($(#[$($attribute:tt)*])* $vis:vis static $name:ident : $type:ty = const $init:block $(; $($rest:tt)*)?) => {
        $(#[$($attribute)*])*
        $vis const $name: $crate::thread::LocalKey<$type> = {
            const __INIT: $type = $init;
            static __IDENTITY: u8 = 0;
            $crate::thread::LocalKey::new(
                &__IDENTITY,
                || __INIT,
                || {
                    $crate::__real::thread_local!(static __KEY: $type = const { __INIT });
                    &__KEY
                },
            )
        };
        $($crate::thread_local!($($rest)*);)?
    };

    ($(#[$($attribute:tt)*])* $vis:vis static $name:ident : $type:ty = $init:expr $(; $($rest:tt)*)?) => {
        $(#[$($attribute)*])*
        $vis const $name: $crate::thread::LocalKey<$type> = {
            fn __init() -> $type {
                $init
            }
            static __IDENTITY: u8 = 0;
            $crate::thread::LocalKey::new(
                &__IDENTITY,
                __init,
                || {
                    $crate::__real::thread_local!(static __KEY: $type = __init());
                    &__KEY
                },
            )
        };
        $($crate::thread_local!($($rest)*);)?
    };
}
