//! Vector clocks: happens-before as the memory model defines it, not as the schedule happened to order operations.
//!
//! A race check must not depend on the schedule. A relaxed store orders nothing, so reading a cell after one is a race
//! even in the runs where the values come out right. The rules are those of C11 on the values of a sequentially
//! consistent execution: a release store starts a release sequence, read-modify-writes continue it, a plain store ends
//! it; an acquire load joins it; a fence extends its ordering to the relaxed operations beside it.

use smallvec::SmallVec;

use crate::op::TaskId;

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
