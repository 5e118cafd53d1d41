//! A run at its bound on steps: what its tasks do, and whether they still change anything.
//!
//! A deadlock ends a run only if no task can go on. Beside a thread that sleeps in a loop, or one that polls a value,
//! the run continues up to the bound on steps. The facts here tell such a run from one that is merely long: the tasks
//! that have waited since long before, the last step that changed anything, and the timers that have fired.

use std::panic::Location;

use crate::blocked::{Awaits, Blocked, wait_of};
use crate::kernel::Kernel;
use crate::record::{OpKind, TaskId};
use crate::state::State;
use crate::task::Need;

/// The recent activity of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Activity {
    /// The step of the last operation that may have changed something.
    changed: u32,
    /// The step of the last operation that looks at a value.
    polled: u32,
    /// Timers that have fired in the second half of the run while no task was ready.
    late_timers: u32,
}

impl Activity {
    /// Notes an operation. `changes`: it always changes what other tasks see. A task that only waits, or that looks at
    /// a value, changes nothing.
    #[inline]
    pub(crate) fn operates(&mut self, kind: OpKind, changes: bool, step: u32) {
        match kind {
            OpKind::Load | OpKind::Rmw | OpKind::TryLock if !changes => self.polled = step,
            OpKind::Yield | OpKind::Sleep | OpKind::Park | OpKind::Wait => {}
            _ => self.changed = step,
        }
    }

    #[inline]
    pub(crate) fn changes(&mut self, step: u32) {
        self.changed = step;
    }

    /// Notes that a timer has fired while no task was ready.
    pub(crate) fn fires(&mut self, step: u32, steps_max: u32) {
        self.late_timers += u32::from(step > steps_max / 2);
    }
}

/// A task that has not ended.
#[derive(Clone, Debug)]
pub struct LeftTask {
    /// The task.
    pub task: TaskId,
    /// The last step at which it ran.
    pub ran: u32,
    /// Whether it waits, and has no deadline.
    pub is_blocked: bool,
    /// The task whose end it waits for.
    pub joins: Option<TaskId>,
    /// Its last operation, and what that operation waits for, as in the report of a deadlock.
    pub does: String,
    /// The kind of its last operation; `None` before its first step.
    pub kind: Option<OpKind>,
    /// The source line of its last operation.
    pub location: Option<&'static Location<'static>>,
}

/// The state of a run that has reached its bound on steps.
#[derive(Clone, Debug)]
pub struct Stall {
    /// The tasks that have not ended, in the order of their numbers.
    pub tasks: Vec<LeftTask>,
    /// The step of the last operation that may have changed something.
    pub changed: u32,
    /// The step of the last operation that looked at a value.
    pub polled: u32,
    /// Timers that have fired in the second half of the run while no task was ready.
    pub late_timers: u32,
}

impl Kernel {
    /// The state of the last run, which has ended at its bound on steps.
    pub fn stall(&self) -> Stall {
        let state = self.state.borrow();
        let Activity { changed, polled, late_timers } = state.activity;
        Stall { tasks: state.left(), changed, polled, late_timers }
    }
}

impl State {
    fn left(&self) -> Vec<LeftTask> {
        let tasks = (0..).map(TaskId).zip(&self.tasks);
        let left = tasks.filter(|(id, task)| !task.is_finished && !self.is_alarm(*id));
        let left = left.map(|(id, task)| {
            let is_blocked = !self.is_ready(id) && !self.sleeps(id);
            let awaits = if is_blocked { self.awaits(task, id) } else { Awaits::Start };
            let joins = match task.need {
                Need::End(other) if is_blocked => Some(other),
                _ => None,
            };
            LeftTask {
                task: id,
                ran: if id == self.log.task { self.log.step } else { task.ran },
                is_blocked,
                joins,
                does: wait_of(&self.log, &Blocked { task: id, op: task.op, awaits }),
                kind: task.op.map(|op| op.kind),
                location: task.op.map(|op| op.location),
            }
        });
        left.collect()
    }
}
