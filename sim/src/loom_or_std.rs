//! loom's types for the facade. Without the feature `loom` they are std's, so that the facade's arms for loom compile;
//! no run uses those arms, since no exploration begins.

#[cfg(feature = "loom")]
pub(crate) use ::loom::{MAX_THREADS, cell, explore, stop_exploring, sync, thread, thread_local};

#[cfg(not(feature = "loom"))]
pub(crate) use std::{sync, thread, thread_local};

#[cfg(not(feature = "loom"))]
pub(crate) use absent::{MAX_THREADS, cell, explore, stop_exploring};

#[cfg(not(feature = "loom"))]
mod absent {
    pub(crate) const MAX_THREADS: usize = 5;

    pub(crate) fn explore() {}

    pub(crate) fn stop_exploring() {}

    pub(crate) mod cell {
        #[derive(Debug)]
        pub(crate) struct UnsafeCell<T>(T);

        impl<T> UnsafeCell<T> {
            pub(crate) fn new(value: T) -> UnsafeCell<T> {
                UnsafeCell(value)
            }

            pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
                read(&raw const self.0)
            }

            pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
                write((&raw const self.0).cast_mut())
            }
        }
    }
}
