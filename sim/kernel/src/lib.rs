//! The scheduler below lastref. It runs the tasks of a simulated program on one OS thread, each on its own stack, and
//! decides at every operation which task continues.
//!
//! A [`Kernel`] executes runs one after the other. A task announces each operation ([`Kernel::point`] and the calls in
//! [`sync`]) before it performs it; a [`Strategy`](strategy::Strategy) then chooses the next task. A task can wait for
//! a lock, a condition variable, a [parker](sync::parker), the end of another task, or a point in virtual time. The
//! kernel keeps the [`record`] of the run: the hash of its trace, happens-before clocks, and the first finding, such as
//! a deadlock.
//!
//! Nothing here knows of std's types, of ledgers or of a network: those are built on top. The kernel has no global
//! state and no thread-local, except for the table of [names of tasks](record::Name) and each thread's copy of it; its
//! callers keep the reference to the kernel.

mod alarm;
mod blocked;
mod clock;
pub mod faults;
mod fiber;
mod findings;
mod kernel;
mod leftover;
mod objects;
mod outside;
pub mod record;
mod reset;
mod run;
pub mod seed;
mod spin;
mod stall;
mod state;
pub mod strategy;
mod switch;
pub mod sync;
mod task;
mod tasks;
mod thread;
mod time;
mod unwinding;

pub use blocked::{Awaits, Blocked, deadlock};
pub use kernel::{Coroutines, Kernel};
pub use run::{Bounds, Ended, Next, Outside, PanicCount, Panics, RealWait, Setup};
pub use spin::Spin;
pub use stall::{LeftTask, Stall};
pub use task::TaskTurns;
pub use thread::{NoStack, Turn};
pub use time::as_ns;

/// The folder of this crate's sources, as the locations of its panics name it.
pub fn sources() -> &'static str {
    let own: &'static str = file!();
    own.strip_suffix("lib.rs").unwrap_or(own)
}
