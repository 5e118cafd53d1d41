//! The runtime's state of each task of a run: its thread, its thread-local values, and the stack of its last wait.

use std::backtrace::Backtrace;

use lastref_kernel::record::TaskId;

use crate::thread::local::Slot;

/// One task. The pointers are to memory of the run; nothing is dropped when a run is abandoned.
pub(crate) struct Task {
    /// The task's thread, from `Arc::into_raw`; null after the task has ended.
    pub(crate) thread: *const crate::thread::handle::SimulatedThread,
    /// Its thread-local values in the order of their creation.
    pub(crate) locals: Vec<Slot>,
    /// The stack of its last wait, in a run with stacks.
    pub(crate) waits_at: Option<Backtrace>,
    /// The address at which the frames of its own code begin; 0 before its first step. A stack grows downwards.
    pub(crate) stack_from: usize,
}

/// The tasks of a run by number.
#[derive(Default)]
pub(crate) struct Tasks(Vec<Task>);

impl Tasks {
    /// Forgets the tasks of the previous run.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a new task. Tasks are added in the order of their numbers.
    pub(crate) fn add(&mut self, thread: *const crate::thread::handle::SimulatedThread) {
        self.0.push(Task { thread, locals: Vec::new(), waits_at: None, stack_from: 0 });
    }

    pub(crate) fn of(&mut self, task: TaskId) -> &mut Task {
        &mut self.0[task.index()]
    }

    /// Whether more than one task has not ended.
    pub(crate) fn are_many(&self) -> bool {
        self.0.iter().filter(|task| !task.thread.is_null()).nth(1).is_some()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        (0..).map(TaskId).zip(&self.0)
    }
}
