//! Tasks that are left when the first task has ended.
//!
//! By default a run lasts until every task has ended, and tasks that wait forever are a deadlock. A process behaves
//! differently: it exits when `main` returns, and detached threads that wait are lost without a word. A caller that
//! simulates a process lets the run end with its first task: the other tasks continue as long as one of them is ready,
//! but no timer fires any more, and what then waits is left.

use crate::kernel::Kernel;
use crate::record::TaskId;
use crate::run::Next;
use crate::state::State;

impl Kernel {
    /// The run that is under way ends with its first task. The next run begins without this.
    pub fn end_with_main(&self) {
        self.state.borrow_mut().ends_with_main = true;
    }

    /// The number of tasks that the last run left unfinished.
    pub fn unfinished(&self) -> u32 {
        self.state.borrow().unfinished
    }
}

impl State {
    /// The end of the run, if its first task has ended and only tasks are left that wait, or that do not end in time.
    pub(crate) fn ends_with_waiting_tasks(&self, ready: usize) -> Option<Next> {
        let is_due = self.ends_with_main && self.is_finished(TaskId::MAIN);
        (is_due && (ready == 0 || self.log.step >= self.bounds.steps_max)).then_some(Next::Finished)
    }
}
