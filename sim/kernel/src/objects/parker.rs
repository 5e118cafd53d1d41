//! The state of a parker.

use crate::clock::Clock;
use crate::record::TaskId;
use crate::reset::Reset;

/// A permit is kept until it is taken; a second one changes nothing.
#[derive(Debug, Default)]
pub(crate) struct ParkerState {
    pub(crate) has_permit: bool,
    pub(crate) parked: Option<TaskId>,
    /// The clock of the tasks that gave the permit.
    pub(crate) clock: Clock,
}

impl Reset for ParkerState {
    fn reset(&mut self) {
        (self.has_permit, self.parked) = (false, None);
        self.clock.reset();
    }
}
