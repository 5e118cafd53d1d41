//! The state of a condition variable.

use smallvec::SmallVec;

use crate::record::{ObjectId, TaskId};
use crate::reset::Reset;

#[derive(Debug, Default)]
pub(crate) struct CondvarState {
    /// Waiting tasks, each with the mutex that it must take again.
    pub(crate) waiters: SmallVec<[(TaskId, ObjectId); 4]>,
    /// The next wait returns at once: see [`crate::Kernel::notify_late`].
    pub(crate) is_late: bool,
}

impl Reset for CondvarState {
    fn reset(&mut self) {
        self.waiters.clear();
        self.is_late = false;
    }
}
