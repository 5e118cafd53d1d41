//! `std::thread` on tasks: inside a run a thread is a task of the kernel, outside a run it is an OS thread.
//!
//! Each type therefore has two forms. A handle that was made outside a run is real everywhere.
#![expect(
    missing_docs,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "the names and their contracts are std's"
)]

pub(crate) mod handle;
pub mod local;
mod scoped;
mod spawn;
mod wait;

pub use handle::{Thread, ThreadId, current};
pub use local::{AccessError, LocalKey};
pub use scoped::{Scope, ScopedJoinHandle, scope};
pub use spawn::{Builder, JoinHandle, spawn};
pub use std::thread::{Result, panicking};
pub use wait::{available_parallelism, park, park_timeout, sleep, sleep_until, yield_now};
#[expect(deprecated, reason = "std has them, too")]
pub use wait::{park_timeout_ms, sleep_ms};

pub(crate) use spawn::run_first_task;
