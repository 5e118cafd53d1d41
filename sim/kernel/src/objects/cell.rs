//! The state of a plain cell.

use std::panic::Location;

use smallvec::SmallVec;

use crate::record::TaskId;
use crate::reset::Reset;

/// An access to a plain cell: the task, its clock at that time, and the source line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch {
    pub(crate) task: TaskId,
    pub(crate) tick: u32,
    pub(crate) location: &'static Location<'static>,
}

#[derive(Debug, Default)]
pub(crate) struct CellState {
    pub(crate) write: Option<Epoch>,
    pub(crate) reads: SmallVec<[Epoch; 2]>,
}

impl Reset for CellState {
    fn reset(&mut self) {
        self.write = None;
        self.reads.clear();
    }
}
