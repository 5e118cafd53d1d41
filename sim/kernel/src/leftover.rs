//! Tasks that are left when the first task has ended.
//!
//! By default a run lasts until every task has ended, and tasks that wait forever are a deadlock. A process behaves
//! differently: it exits when `main` returns, and detached threads that wait end silently. A caller that simulates a
//! process lets the run end with its first task: the other tasks continue as long as one of them is ready, but no timer
//! fires any more, and the tasks that then wait are abandoned.

use crate::kernel::Kernel;
use crate::record::TaskId;
use crate::run::Next;
use crate::state::State;

impl Kernel {
    /// Makes the current run end with its first task. The next run does not inherit this.
    pub fn end_with_main(&self) {
        self.state.borrow_mut().ends_with_main = true;
    }

    /// The number of tasks that the last run left unfinished.
    pub fn unfinished(&self) -> u32 {
        self.state.borrow().unfinished
    }
}

impl State {
    /// Returns the end of the run if its first task has ended, and no other task is ready or the bound on steps is
    /// reached.
    pub(crate) fn ends_with_waiting_tasks(&self, ready: usize) -> Option<Next> {
        let is_due = self.ends_with_main && self.is_finished(TaskId::MAIN);
        (is_due && (ready == 0 || self.log.step >= self.bounds.steps_max)).then_some(Next::Finished)
    }
}
