//! Waiting for events outside the run: before a run that cannot continue ends as a deadlock, or lets virtual time
//! pass, a function of the caller may wait in real time.

use crate::kernel::Kernel;
use crate::run::Outside;
use crate::state::State;

impl Kernel {
    /// Makes runs that wait for events outside.
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
    /// No task is ready: waits for an event outside, and makes the tasks ready that wait for one. Returns whether a
    /// task is ready.
    pub(crate) fn waits_outside(&mut self) -> bool {
        let Some(Outside { word, wait }) = self.outside else { return false };
        if self.objects.word(word).waiters.is_empty() || !wait(self.next_deadline_in_ns()) {
            return false;
        }
        for task in std::mem::take(&mut self.objects.word(word).waiters) {
            self.end_wait(task);
        }
        true
    }
}
