//! The state of a word.

use smallvec::SmallVec;

use crate::record::TaskId;
use crate::reset::Reset;

#[derive(Debug, Default)]
pub(crate) struct WordState {
    pub(crate) waiters: SmallVec<[TaskId; 4]>,
}

impl Reset for WordState {
    fn reset(&mut self) {
        self.waiters.clear();
    }
}
