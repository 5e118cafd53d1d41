//! shuttle's coroutines under the same kernel, to check our own.
//!
//! shuttle's scheduler only passes on the kernel's decisions. A run that ends early is stopped by giving shuttle no
//! task: it abandons the execution without unwinding any stack.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId as ShuttleTaskId};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use shuttle_engine::runtime::execution::ExecutionState;

use std::cell::Cell;
use std::panic::Location;

use super::execution::{main_task, next};
use super::kernel::Next;
use super::with;

thread_local! {
    static STACK_BYTES: Cell<usize> = const { Cell::new(0) };
}

/// Runs the tasks as the kernel decides, until it says that the run is over.
pub(super) fn execute(stack_bytes: usize) {
    STACK_BYTES.set(stack_bytes);
    let mut config = Config::new();
    config.stack_size = stack_bytes;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::None;
    config.silence_warnings = true;
    Runner::new(Handover { is_done: false }, config).run(main_task);
}

/// Asks shuttle for the switch that the kernel has chosen.
pub(super) fn switch() {
    shuttle_engine::runtime::thread::switch();
}

/// Starts the coroutine of the next task. shuttle's spawn has its own scheduling point: the spawning task continues.
pub(super) fn spawn(body: Box<dyn FnOnce()>, location: &'static Location<'static>) {
    with(|kernel| kernel.pending = Some(Next::Task(kernel.current)));
    ExecutionState::spawn_thread(body, STACK_BYTES.get(), None, None, location);
}

/// Passes the kernel's decisions to shuttle, for one run.
struct Handover {
    is_done: bool,
}

impl Scheduler for Handover {
    fn new_execution(&mut self) -> Option<Schedule> {
        // The seed is that of shuttle's own random numbers, which nothing here draws.
        (!std::mem::replace(&mut self.is_done, true)).then(|| Schedule::new(0))
    }

    fn next_task(&mut self, runnable: &[&Task], _: Option<ShuttleTaskId>, _: bool) -> Option<ShuttleTaskId> {
        match next() {
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
