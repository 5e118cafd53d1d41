//! Vector clocks: happens-before as the memory model defines it, not as the schedule happened to order operations.
//!
//! A race check must not depend on the schedule. A relaxed store orders nothing, so reading a cell after one is a race
//! even in the runs where the values come out right. The rules are those of C11 on the values of a sequentially
//! consistent execution: a release store starts a release sequence, read-modify-writes continue it, a plain store ends
//! it; an acquire load joins it; a fence extends its ordering to the relaxed operations beside it.

use crate::record::TaskId;
use crate::reset::Reset;

/// Number of tasks whose counters have a fixed place. A join of these is a loop of constant length.
const FEW: usize = 16;

/// One counter per task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    first: [u32; FEW],
    /// The counters of further tasks; may be shorter than their number.
    rest: Vec<u32>,
}

impl Clock {
    #[inline]
    pub(crate) fn get(&self, task: TaskId) -> u32 {
        match self.first.get(task.index()) {
            Some(count) => *count,
            None => self.rest.get(task.index() - FEW).copied().unwrap_or(0),
        }
    }

    #[inline]
    pub(crate) fn tick(&mut self, task: TaskId) {
        match self.first.get_mut(task.index()) {
            Some(count) => *count += 1,
            None => self.tick_later(task.index() - FEW),
        }
    }

    #[inline(never)]
    fn tick_later(&mut self, place: usize) {
        if self.rest.len() <= place {
            self.rest.resize(place + 1, 0);
        }
        self.rest[place] += 1;
    }

    #[inline]
    pub(crate) fn join(&mut self, other: &Clock) {
        for (mine, theirs) in self.first.iter_mut().zip(&other.first) {
            *mine = (*mine).max(*theirs);
        }
        if !other.rest.is_empty() {
            self.join_rest(other);
        }
    }

    #[inline(never)]
    fn join_rest(&mut self, other: &Clock) {
        if self.rest.len() < other.rest.len() {
            self.rest.resize(other.rest.len(), 0);
        }
        for (mine, theirs) in self.rest.iter_mut().zip(&other.rest) {
            *mine = (*mine).max(*theirs);
        }
    }

    #[inline]
    pub(crate) fn assign(&mut self, other: &Clock) {
        self.first = other.first;
        self.rest.clear();
        if !other.rest.is_empty() {
            self.rest.extend_from_slice(&other.rest);
        }
    }
}

impl Reset for Clock {
    #[inline]
    fn reset(&mut self) {
        self.first = [0; FEW];
        self.rest.clear();
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
        for later in [3, FEW as u32, FEW as u32 + 5] {
            let mut a = Clock::default();
            let mut b = Clock::default();
            a.tick(TaskId(0));
            a.tick(TaskId(0));
            b.tick(TaskId(later));
            a.join(&b);
            let of = |clock: &Clock| [0, 2, later, later + 1, later + 90].map(|task| clock.get(TaskId(task)));
            assert_eq!(of(&a), [2, 0, 1, 0, 0]);
            a.tick(TaskId(later));
            b.join(&a);
            assert_eq!(of(&b), [2, 0, 2, 0, 0]);
            a.assign(&Clock::default());
            assert_eq!(of(&a), [0; 5]);
        }
    }
}
