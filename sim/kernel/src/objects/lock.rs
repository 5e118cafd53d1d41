//! The state of a lock.

use smallvec::SmallVec;

use crate::clock::Clock;
use crate::record::TaskId;
use crate::reset::Reset;
use crate::tasks::TaskSet;

/// The mode in which a lock is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By one writer.
    Exclusive,
    /// By readers.
    Shared,
}

#[derive(Debug, Default)]
pub(crate) struct LockState {
    pub(crate) holder: Option<TaskId>,
    pub(crate) readers: SmallVec<[TaskId; 2]>,
    /// Tasks that have announced the lock and do not hold it, by the requested mode.
    writing: TaskSet,
    reading: TaskSet,
    /// Whether a writer that waits keeps further readers out while others read, as on Linux. std leaves this open.
    /// Drawn for the first reader.
    pub(crate) turns_readers_away: Option<bool>,
    /// Created at the first use in a run that keeps clocks. Boxed: a lock without them is smaller and faster to reset.
    clocks: Option<Box<LockClocks>>,
}

/// The clocks of a lock's releases.
#[derive(Debug, Default)]
pub(crate) struct LockClocks {
    /// Of the writers: readers and writers join it.
    pub(crate) writers: Clock,
    /// The last writer that released the lock. Its own clock contains `writers`.
    pub(crate) released_by: Option<TaskId>,
    /// Of the readers: only writers join it, since readers are not ordered among themselves.
    pub(crate) readers: Clock,
}

impl Reset for LockState {
    fn reset(&mut self) {
        self.holder = None;
        self.readers.clear();
        self.writing.clear();
        self.reading.clear();
        self.turns_readers_away = None;
        if let Some(clocks) = &mut self.clocks {
            clocks.writers.reset();
            clocks.released_by = None;
            clocks.readers.reset();
        }
    }
}

impl LockState {
    /// Whether it could be taken in this mode now.
    #[inline]
    pub(crate) fn admits(&self, mode: Mode) -> bool {
        let keeps_out = || mode == Mode::Exclusive || self.turns_readers_away == Some(true) && !self.writing.is_empty();
        self.holder.is_none() && (self.readers.is_empty() || !keeps_out())
    }

    #[inline]
    pub(crate) fn contenders(&mut self, mode: Mode) -> &mut TaskSet {
        match mode {
            Mode::Exclusive => &mut self.writing,
            Mode::Shared => &mut self.reading,
        }
    }

    /// Makes each contender ready or not, according to the lock's state.
    #[inline]
    pub(crate) fn refresh(&self, ready: &mut TaskSet) {
        self.refresh_of(Mode::Exclusive, &self.writing, ready);
        self.refresh_of(Mode::Shared, &self.reading, ready);
    }

    #[inline(always)]
    fn refresh_of(&self, mode: Mode, contenders: &TaskSet, ready: &mut TaskSet) {
        match (contenders.is_empty(), self.admits(mode)) {
            (true, _) => {}
            (false, true) => ready.add_all(contenders),
            (false, false) => ready.remove_all(contenders),
        }
    }

    #[inline]
    pub(crate) fn clocks(&mut self) -> &mut LockClocks {
        self.clocks.get_or_insert_default()
    }

    #[inline]
    pub(crate) fn is_contended(&self) -> bool {
        !self.writing.is_empty() || !self.reading.is_empty()
    }

    /// The writer, or the readers.
    pub(crate) fn holders(&self) -> Vec<TaskId> {
        self.holder.iter().chain(&self.readers).copied().collect()
    }

    pub(crate) fn is_wanted_by(&self, task: TaskId) -> bool {
        self.writing.contains(task) || self.reading.contains(task)
    }
}
