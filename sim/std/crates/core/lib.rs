//! The stand-in for core: re-exports the real core, and replaces the same names as the stand-in for std.
#![no_std]

extern crate core as real;

// `#[test]` names these two in the crate `std`, and a crate without std may contain `extern crate core as std`.
#[doc(hidden)]
pub extern crate core as __real;

#[doc(hidden)]
pub use lastref_runtime as __lastref;

pub use real::*;

pub mod prelude {
    pub mod v1 {
        pub use real::prelude::v1::*;

        pub use lastref_macros::{global_allocator, test};
    }

    pub mod rust_2015 {
        pub use real::prelude::rust_2015::*;

        pub use lastref_macros::{global_allocator, test};
    }

    pub mod rust_2018 {
        pub use real::prelude::rust_2018::*;

        pub use lastref_macros::{global_allocator, test};
    }

    pub mod rust_2021 {
        pub use real::prelude::rust_2021::*;

        pub use lastref_macros::{global_allocator, test};
    }

    pub mod rust_2024 {
        pub use real::prelude::rust_2024::*;

        pub use lastref_macros::{global_allocator, test};
    }
}

pub mod hint {
    pub use real::hint::*;

    pub use lastref_runtime::spin_loop;
}

pub mod sync {
    pub use real::sync::*;

    pub mod atomic {
        pub use real::sync::atomic::*;

        pub use lastref_runtime::atomic::{
            ATOMIC_BOOL_INIT, ATOMIC_ISIZE_INIT, ATOMIC_USIZE_INIT, AtomicBool, AtomicI8, AtomicI16, AtomicI32,
            AtomicI64, AtomicIsize, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, fence,
            spin_loop_hint,
        };
    }
}
