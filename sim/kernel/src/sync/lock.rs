//! Locks with one writer or many readers: mutexes and reader-writer locks.

use std::panic::Location;

use crate::kernel::Kernel;
pub use crate::objects::Mode;
use crate::record::{ObjectId, Op, OpKind};
use crate::seed::Choice;
use crate::state::State;
use crate::task::Need;

impl Kernel {
    /// Waits until the lock admits this mode, and takes it. Returns false, without the lock, if the run is over.
    #[inline]
    pub fn lock(&self, object: ObjectId, mode: Mode, kind: OpKind, location: &'static Location<'static>) -> bool {
        let need = Need::Lock(object, mode);
        self.enter(Op { kind, object, location }, need, |state| state.take(object, mode)).is_some()
    }

    /// Takes the lock if it is free. Returns `None` if the run is over.
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
                state.changed();
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
            Mode::Shared => {
                lock.readers.push(me);
                let seed = self.log.seed;
                lock.turns_readers_away.get_or_insert_with(|| Choice::Writer { lock: object.0 }.below(seed, 2) == 1);
            }
        }
        if self.clocks.are_kept() {
            let (clock, released) = (&mut self.clocks.of(me).own, lock.clocks());
            if released.released_by != Some(me) {
                clock.join(&released.writers);
            }
            if mode == Mode::Exclusive {
                clock.join(&released.readers);
            }
        }
        if lock.is_contended() {
            lock.contenders(mode).remove(me);
            // A writer that has begun to wait since this reader was chosen may have made it unready.
            self.ready.insert(me);
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
            let (clock, released) = (&mut self.clocks.of(me).own, lock.clocks());
            if is_writer {
                // The writer's clock contains this one: the writer joined it when it took the lock, or had assigned it
                // itself. No other writer has released the lock since.
                released.writers.assign(clock);
                released.released_by = Some(me);
            } else if reader.is_some() {
                released.readers.join(clock);
            }
            clock.tick(me);
        }
        if lock.is_contended() {
            lock.refresh(&mut self.ready);
        }
    }
}
