//! Waiting for events outside the run: a function of the caller may wait in real time, before a run without ready tasks
//! advances virtual time or ends as a deadlock.

use crate::kernel::Kernel;
use crate::run::{Outside, RealWait};
use crate::state::State;

impl Kernel {
    /// Lets tasks of the kernel's runs wait for events outside the run.
    #[must_use]
    pub fn with_outside(mut self, outside: Outside) -> Kernel {
        self.state.get_mut().outside = Some(outside);
        self
    }

    /// The time in nanoseconds to the next deadline of a sleeping task, if the current task is the only one that is
    /// ready; `None` if others are. The inner value is `None` if no task sleeps.
    pub fn is_alone(&self) -> Option<Option<u64>> {
        let state = self.state.borrow();
        (state.ready.len() == 1).then(|| state.next_deadline_in_ns())
    }
}

impl State {
    /// Called when no task is ready. Waits for an event outside the run, and makes the tasks ready that wait for such
    /// events. Returns whether a task is ready.
    pub(crate) fn waits_outside(&mut self) -> bool {
        let Some(Outside { word, wait }) = self.outside else { return false };
        let RealWait { has_event, duration_ns } = wait(self.next_deadline_in_ns());
        self.log.now_ns = self.log.now_ns.saturating_add(duration_ns);
        if !has_event {
            return false;
        }
        for task in std::mem::take(&mut self.objects.word(word).waiters) {
            self.end_wait(task);
        }
        !self.ready.is_empty()
    }
}
