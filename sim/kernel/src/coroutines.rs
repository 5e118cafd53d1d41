//! A second source of coroutines, to check the kernel's own.

use std::fmt;
use std::panic::Location;

use crate::kernel::Kernel;

/// Stacks, and switches between them. The kernel's own are those of `fiber`; another source must follow the same
/// decisions, so that a run has the same trace on both.
pub trait Coroutines: fmt::Debug + Sync {
    /// Runs [`Kernel::main_task`] on a stack of this size, and each task as [`Kernel::next`] decides, until it returns
    /// no task.
    fn execute(&self, kernel: &'static Kernel, stack_bytes: usize);

    /// Makes a stack for the newest task. The current task continues.
    fn spawn(&self, body: Box<dyn FnOnce()>, location: &'static Location<'static>);

    /// Switches to the task that [`Kernel::next`] returns. Returns when the current task is chosen again.
    fn switch(&self);
}
