//! Vector clocks: happens-before as the memory model defines it, not as the schedule happened to order operations.
//!
//! A race check must not depend on the schedule. A relaxed store orders nothing, so reading a cell after one is a race
//! even in the runs where the values come out right. The rules are those of C11 on the values of a sequentially
//! consistent execution: a release store starts a release sequence, read-modify-writes continue it, a plain store ends
//! it; an acquire load joins it; a fence extends its ordering to the relaxed operations beside it.

use smallvec::SmallVec;

use crate::record::TaskId;
use crate::reset::Reset;

/// One counter per task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock(SmallVec<[u32; 8]>);

impl Clock {
    #[inline]
    pub(crate) fn get(&self, task: TaskId) -> u32 {
        self.0.get(task.index()).copied().unwrap_or(0)
    }

    #[inline]
    pub(crate) fn tick(&mut self, task: TaskId) {
        if self.0.len() <= task.index() {
            self.0.resize(task.index() + 1, 0);
        }
        self.0[task.index()] += 1;
    }

    #[inline]
    pub(crate) fn join(&mut self, other: &Clock) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }

    #[inline]
    pub(crate) fn assign(&mut self, other: &Clock) {
        self.0.clear();
        self.0.extend_from_slice(&other.0);
    }
}

impl Reset for Clock {
    fn reset(&mut self) {
        self.0.clear();
    }
}

/// The clocks of one task.
#[derive(Debug, Default)]
pub(crate) struct TaskClocks {
    pub(crate) own: Clock,
    /// Clocks that relaxed loads have seen, for an acquire fence to join.
    pub(crate) seen: Clock,
    /// The clock of a release fence, for later relaxed stores.
    pub(crate) fenced: Option<Clock>,
}

/// The clocks of the tasks. Only checks of plain cells read them. Events before the first access to a cell cannot order
/// two accesses, so clocks are kept from that access on.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    /// By task; empty before the first access to a cell.
    tasks: Vec<TaskClocks>,
}

impl Clocks {
    pub(crate) fn clear(&mut self) {
        self.tasks.clear();
    }

    #[inline]
    pub(crate) fn are_kept(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Begins to keep clocks, for this many tasks.
    #[cold]
    pub(crate) fn begin(&mut self, tasks: usize) {
        for id in 0..tasks as u32 {
            let mut clocks = TaskClocks::default();
            clocks.own.tick(TaskId(id));
            self.tasks.push(clocks);
        }
    }

    /// Adds a task. Its parent's earlier operations happened before it.
    pub(crate) fn spawn(&mut self, id: TaskId, parent: Option<TaskId>) {
        if !self.are_kept() {
            return;
        }
        let mut clocks = TaskClocks::default();
        if let Some(parent) = parent {
            let parents = self.of(parent);
            clocks.own = parents.own.clone();
            parents.own.tick(parent);
        }
        clocks.own.tick(id);
        self.tasks.push(clocks);
    }

    #[inline]
    pub(crate) fn of(&mut self, task: TaskId) -> &mut TaskClocks {
        &mut self.tasks[task.index()]
    }

    /// Orders the operations of `other` so far before the next operations of `task`.
    pub(crate) fn join(&mut self, task: TaskId, other: TaskId) {
        let clock = self.of(other).own.clone();
        self.of(task).own.join(&clock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_takes_the_later_of_each() {
        let mut a = Clock::default();
        let mut b = Clock::default();
        a.tick(TaskId(0));
        a.tick(TaskId(0));
        b.tick(TaskId(3));
        a.join(&b);
        assert_eq!((a.get(TaskId(0)), a.get(TaskId(2)), a.get(TaskId(3)), a.get(TaskId(9))), (2, 0, 1, 0));
    }
}
