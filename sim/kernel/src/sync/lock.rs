//! Locks with one writer or many readers: mutexes and reader-writer locks.

use std::panic::Location;

use smallvec::SmallVec;

use crate::clock::Clock;
use crate::kernel::Kernel;
use crate::objects::Reset;
use crate::record::{ObjectId, Op, OpKind, TaskId};
use crate::state::State;
use crate::task::Need;
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
    readers: SmallVec<[TaskId; 2]>,
    /// Tasks that have announced the lock and do not hold it, by the requested mode.
    writing: TaskSet,
    reading: TaskSet,
    /// Clock of the writers' releases: readers and writers join it.
    clock: Clock,
    /// Clock of the readers' releases: only writers join it, since readers are not ordered among themselves.
    readers_clock: Clock,
}

impl Reset for LockState {
    fn reset(&mut self) {
        self.holder = None;
        self.readers.clear();
        self.writing.clear();
        self.reading.clear();
        self.clock.reset();
        self.readers_clock.reset();
    }
}

impl LockState {
    /// Whether it could be taken in this mode now.
    #[inline]
    pub(crate) fn admits(&self, mode: Mode) -> bool {
        self.holder.is_none() && (mode == Mode::Shared || self.readers.is_empty())
    }

    pub(crate) fn contenders(&mut self, mode: Mode) -> &mut TaskSet {
        match mode {
            Mode::Exclusive => &mut self.writing,
            Mode::Shared => &mut self.reading,
        }
    }

    /// Makes each contender ready or not, according to the lock's state.
    #[inline]
    fn refresh(&self, ready: &mut TaskSet) {
        for (mode, contenders) in [(Mode::Exclusive, &self.writing), (Mode::Shared, &self.reading)] {
            match (contenders.is_empty(), self.admits(mode)) {
                (true, _) => {}
                (false, true) => ready.add_all(contenders),
                (false, false) => ready.remove_all(contenders),
            }
        }
    }

    #[inline]
    fn is_contended(&self) -> bool {
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

impl Kernel {
    /// Waits until the lock admits this mode, and takes it. False: the run is over, and the lock was not taken.
    #[inline]
    pub fn lock(&self, object: ObjectId, mode: Mode, kind: OpKind, location: &'static Location<'static>) -> bool {
        let need = Need::Lock(object, mode);
        self.enter(Op { kind, object, location }, need, |state| state.take(object, mode)).is_some()
    }

    /// Takes the lock if it is free. `None`: the run is over.
    pub fn try_lock(
        &self,
        object: ObjectId,
        mode: Mode,
        kind: OpKind,
        location: &'static Location<'static>,
    ) -> Option<bool> {
        self.enter(Op { kind, object, location }, Need::Nothing, |state| {
            let free = state.objects.admits(object, mode);
            if free {
                state.me().spin.end();
                state.take(object, mode);
            }
            free
        })
    }

    /// Releases the lock. The scheduling point is before the release, so that other tasks can see the lock held.
    #[inline]
    pub fn unlock(&self, object: ObjectId, kind: OpKind, location: &'static Location<'static>) {
        let op = Op { kind, object, location };
        if self.enter(op, Need::Nothing, |state| state.give(object)).is_none() {
            self.state.borrow_mut().give(object);
        }
    }
}

impl State {
    #[inline]
    pub(crate) fn take(&mut self, object: ObjectId, mode: Mode) {
        let me = self.log.task;
        let lock = self.objects.lock(object);
        match mode {
            Mode::Exclusive => lock.holder = Some(me),
            Mode::Shared => lock.readers.push(me),
        }
        if self.clocks.are_kept() {
            let clock = &mut self.clocks.of(me).own;
            clock.join(&lock.clock);
            if mode == Mode::Exclusive {
                clock.join(&lock.readers_clock);
            }
        }
        if lock.is_contended() {
            lock.contenders(mode).remove(me);
            lock.refresh(&mut self.ready);
        }
    }

    #[inline]
    pub(crate) fn give(&mut self, object: ObjectId) {
        let me = self.log.task;
        let lock = self.objects.lock(object);
        let is_writer = lock.holder == Some(me);
        let reader = if is_writer { None } else { lock.readers.iter().position(|reader| *reader == me) };
        if is_writer {
            lock.holder = None;
        } else if let Some(place) = reader {
            lock.readers.remove(place);
        }
        if self.clocks.are_kept() {
            let clock = &mut self.clocks.of(me).own;
            if is_writer {
                lock.clock.join(clock);
            } else if reader.is_some() {
                lock.readers_clock.join(clock);
            }
            clock.tick(me);
        }
        if lock.is_contended() {
            lock.refresh(&mut self.ready);
        }
    }
}
