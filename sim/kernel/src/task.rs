//! One task of a run, as the scheduler sees it.

use smallvec::SmallVec;

use crate::objects::Mode;
use crate::record::{ObjectId, Op, TaskId, TaskKey};
use crate::spin::Spin;

/// What a task needs before its announced operation can proceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Nothing,
    /// The lock, in this mode.
    Lock(ObjectId, Mode),
    /// The other task's end.
    End(TaskId),
}

#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) key: TaskKey,
    parent: Option<TaskId>,
    pub(crate) is_finished: bool,
    /// Whether its last sleep or timed wait ended by its deadline.
    pub(crate) timed_out: bool,
    /// Decisions while it was the current task.
    pub(crate) turn: u32,
    /// The step at which another task ran after it last ran.
    pub(crate) ran: u32,
    pub(crate) op: Option<Op>,
    pub(crate) spin: Spin,
    /// What the announced operation needs.
    pub(crate) need: Need,
    /// The condition variable it waits on.
    pub(crate) waits_on: Option<ObjectId>,
    pub(crate) joiners: SmallVec<[TaskId; 2]>,
}

impl Task {
    pub(crate) fn new(key: TaskKey, parent: Option<TaskId>) -> Task {
        Task {
            key,
            parent,
            is_finished: false,
            timed_out: false,
            turn: 0,
            ran: 0,
            op: None,
            spin: Spin::default(),
            need: Need::Nothing,
            waits_on: None,
            joiners: SmallVec::new(),
        }
    }

    pub(crate) fn turns(&self) -> TaskTurns {
        TaskTurns { key: self.key, parent: self.parent, turns: self.turn }
    }
}

/// The number of steps that a task has taken.
#[derive(Clone, Copy, Debug)]
pub struct TaskTurns {
    /// The task.
    pub key: TaskKey,
    /// The task that spawned it.
    pub parent: Option<TaskId>,
    /// Its steps.
    pub turns: u32,
}
