//! shuttle's coroutines under the same kernel, to check our own.
//!
//! shuttle's scheduler only passes on the kernel's decisions. A run that ends early is stopped by giving shuttle no
//! task: it abandons the execution without unwinding any stack.

use std::panic::Location;

use kernel::{Coroutines, Kernel, Next};
use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId as ShuttleTaskId};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use shuttle_engine::runtime::execution::ExecutionState;

use crate::session;

/// shuttle's coroutines.
pub(super) fn coroutines() -> &'static dyn Coroutines {
    &Stacks
}

#[derive(Debug)]
struct Stacks;

impl Coroutines for Stacks {
    fn execute(&self, _: &'static Kernel, stack_bytes: usize) {
        let mut config = Config::new();
        config.stack_size = stack_bytes;
        config.failure_persistence = FailurePersistence::None;
        config.max_steps = MaxSteps::None;
        config.silence_warnings = true;
        Runner::new(Handover { is_done: false }, config).run(|| kernel().main_task());
    }

    /// shuttle's spawn has its own scheduling point, at which the spawning task continues.
    fn spawn(&self, body: Box<dyn FnOnce()>, location: &'static Location<'static>) {
        kernel().stay();
        let stack_bytes = session::with(|session| session.map_or(0, |session| session.stack_bytes.get()));
        ExecutionState::spawn_thread(body, stack_bytes, None, None, location);
    }

    fn switch(&self) {
        shuttle_engine::runtime::thread::switch();
    }
}

fn kernel() -> &'static Kernel {
    match session::kernel() {
        Some(kernel) => kernel,
        None => unreachable!("invariant: shuttle's coroutines run within a session of a kernel"),
    }
}

/// Passes the kernel's decisions to shuttle, for one run.
struct Handover {
    is_done: bool,
}

impl Scheduler for Handover {
    fn new_execution(&mut self) -> Option<Schedule> {
        // The seed is for shuttle's own random numbers, which are not used here.
        (!std::mem::replace(&mut self.is_done, true)).then(|| Schedule::new(0))
    }

    fn next_task(&mut self, runnable: &[&Task], _: Option<ShuttleTaskId>, _: bool) -> Option<ShuttleTaskId> {
        match kernel().next() {
            Next::Task(task) => Some(ShuttleTaskId::from(task.index())),
            // Every body has ended; shuttle still has to see its main thread return.
            Next::Finished => runnable.first().map(|task| task.id()),
            Next::Halt => None,
        }
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("invariant: shuttle's own random numbers are not used")
    }
}
