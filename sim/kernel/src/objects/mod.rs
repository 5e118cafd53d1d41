//! The state of each object of a run, by kind: locks, condition variables, atomics, cells, parkers, words.

mod cell;
mod condvar;
mod lock;
mod parker;
mod word;

pub(crate) use cell::{CellState, Epoch};
pub(crate) use condvar::CondvarState;
pub(crate) use lock::LockState;
pub use lock::Mode;
pub(crate) use parker::ParkerState;
pub(crate) use word::WordState;

use crate::clock::Clock;
use crate::record::{ObjectId, TaskId};
use crate::reset::Reset;

#[derive(Debug)]
struct Pool<T> {
    items: Vec<T>,
    used: usize,
}

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool { items: Vec::new(), used: 0 }
    }
}

impl<T: Reset> Pool<T> {
    fn take(&mut self) -> u32 {
        match self.items.get_mut(self.used) {
            Some(item) => item.reset(),
            None => self.items.push(T::default()),
        }
        self.used += 1;
        self.used as u32 - 1
    }
}

/// An object gets its state at its first use, which determines its kind, and keeps that kind: a use as another kind is
/// a bug of the caller. The number is an index in the pool of the kind.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Fresh,
    Lock(u32),
    Condvar(u32),
    Atomic(u32),
    Cell(u32),
    Parker(u32),
    Word(u32),
}

/// The objects of a run, by number.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    kinds: Vec<Kind>,
    locks: Pool<LockState>,
    condvars: Pool<CondvarState>,
    /// The clock of the release sequence of an atomic or a reference count.
    atomics: Pool<Clock>,
    cells: Pool<CellState>,
    parkers: Pool<ParkerState>,
    words: Pool<WordState>,
}

macro_rules! access {
    ($($name:ident, $pool:ident, $kind:ident, $state:ty, $what:literal;)*) => {
        $(
            #[inline(always)]
            pub(crate) fn $name(&mut self, object: ObjectId) -> &mut $state {
                let index = match self.kinds[object.0 as usize] {
                    Kind::$kind(index) => index,
                    _ => self.first_use(object, Kind::$kind, |objects| objects.$pool.take(), $what),
                };
                &mut self.$pool.items[index as usize]
            }
        )*
    };
}

impl Objects {
    pub(crate) fn add(&mut self) {
        self.kinds.push(Kind::Fresh);
    }

    access! {
        lock, locks, Lock, LockState, "lock";
        condvar, condvars, Condvar, CondvarState, "condition variable";
        atomic, atomics, Atomic, Clock, "atomic";
        cell, cells, Cell, CellState, "cell";
        parker, parkers, Parker, ParkerState, "parker";
        word, words, Word, WordState, "word";
    }

    /// Gives a fresh object its kind, and returns the index of its state.
    #[inline(never)]
    fn first_use(&mut self, object: ObjectId, kind: fn(u32) -> Kind, take: fn(&mut Objects) -> u32, what: &str) -> u32 {
        let found = self.kinds[object.0 as usize];
        if !matches!(found, Kind::Fresh) {
            found.refuse(what);
        }
        let index = take(self);
        self.kinds[object.0 as usize] = kind(index);
        index
    }

    /// The state of an object that has been used as a lock.
    #[inline]
    fn used_lock(&self, object: ObjectId) -> Option<&LockState> {
        match self.kinds[object.0 as usize] {
            Kind::Lock(index) => Some(&self.locks.items[index as usize]),
            _ => None,
        }
    }

    /// Whether a lock in this mode could be taken now.
    #[inline]
    pub(crate) fn admits(&self, object: ObjectId, mode: Mode) -> bool {
        self.used_lock(object).is_none_or(|lock| lock.admits(mode))
    }

    /// The holders of the lock, for a deadlock report: the writer, or the readers.
    pub(crate) fn holders(&self, object: ObjectId) -> Vec<TaskId> {
        self.used_lock(object).map_or_else(Vec::new, |lock| lock.holders())
    }

    /// The lock that the task contends for, for a deadlock report.
    pub(crate) fn wanted_by(&self, task: TaskId) -> Option<ObjectId> {
        let objects = (0..self.kinds.len() as u32).map(ObjectId);
        objects.into_iter().find(|object| self.used_lock(*object).is_some_and(|lock| lock.is_wanted_by(task)))
    }

    pub(crate) fn clear(&mut self) {
        self.kinds.clear();
        self.locks.used = 0;
        self.condvars.used = 0;
        self.atomics.used = 0;
        self.cells.used = 0;
        self.parkers.used = 0;
        self.words.used = 0;
    }
}

impl Kind {
    #[cold]
    fn refuse(self, wanted: &str) -> ! {
        let found = match self {
            Kind::Fresh => "nothing yet",
            Kind::Lock(_) => "a lock",
            Kind::Condvar(_) => "a condition variable",
            Kind::Atomic(_) => "an atomic",
            Kind::Cell(_) => "a cell",
            Kind::Parker(_) => "a parker",
            Kind::Word(_) => "a word",
        };
        panic!("invariant: an object is used as a {wanted} and is {found}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_used_as_another_is_a_bug_of_the_caller() {
        let mut objects = Objects::default();
        objects.add();
        objects.atomic(ObjectId(0));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            objects.lock(ObjectId(0));
        }));
        let text = panic.expect_err("an atomic is not a lock").downcast::<String>().expect("a text");
        assert!(text.contains("used as a lock and is an atomic"), "{text}");
    }

    #[test]
    fn the_next_run_finds_its_objects_new() {
        let mut objects = Objects::default();
        objects.add();
        let lock = objects.lock(ObjectId(0));
        lock.holder = Some(TaskId(1));
        lock.clocks().writers.tick(TaskId(1));
        lock.clocks().readers.tick(TaskId(1));
        lock.clocks().released_by = Some(TaskId(1));
        objects.clear();
        objects.add();
        let lock = objects.lock(ObjectId(0));
        assert!(lock.admits(Mode::Exclusive));
        let clocks = lock.clocks();
        let counts = (clocks.writers.get(TaskId(1)), clocks.readers.get(TaskId(1)));
        assert_eq!((counts, clocks.released_by), ((0, 0), None));
    }
}
