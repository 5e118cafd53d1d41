//! The kernel's data of each facade object: its holder, its waiters, and its clock of happens-before.

use smallvec::SmallVec;

use super::clock::Clock;
use super::tasks::TaskSet;
use super::token::TokenState;
use crate::op::{ObjectId, TaskId};

/// The mode in which a lock is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Exclusive,
    Shared,
}

#[derive(Debug, Default)]
pub(super) struct LockState {
    pub(super) holder: Option<TaskId>,
    pub(super) readers: SmallVec<[TaskId; 2]>,
    /// Tasks that have announced the lock and do not hold it, by the requested mode.
    writing: TaskSet,
    reading: TaskSet,
    /// Clock of the writers' releases: readers and writers join it.
    pub(super) clock: Clock,
    /// Clock of the readers' releases: only writers join it, since readers are not ordered among themselves.
    pub(super) readers_clock: Clock,
}

impl LockState {
    /// Whether it could be taken in this mode now.
    pub(super) fn admits(&self, mode: Mode) -> bool {
        self.holder.is_none() && (mode == Mode::Shared || self.readers.is_empty())
    }

    pub(super) fn contenders(&mut self, mode: Mode) -> &mut TaskSet {
        match mode {
            Mode::Exclusive => &mut self.writing,
            Mode::Shared => &mut self.reading,
        }
    }

    pub(super) fn is_contended(&self) -> bool {
        !self.writing.is_empty() || !self.reading.is_empty()
    }
}

/// An access to a plain cell: which task, and that task's clock at the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch {
    pub(super) task: TaskId,
    pub(super) tick: u32,
    pub(super) location: &'static std::panic::Location<'static>,
}

#[derive(Debug, Default)]
pub(super) struct CellState {
    pub(super) write: Option<Epoch>,
    pub(super) reads: SmallVec<[Epoch; 2]>,
}

#[derive(Debug, Default)]
pub(super) struct CondvarState {
    /// Waiting tasks, each with the mutex that it must take again.
    pub(super) waiters: SmallVec<[(TaskId, ObjectId); 4]>,
    /// The next wait returns at once: see [`notify_late`](super::sync::notify_late).
    pub(super) is_late: bool,
}

/// An object gets its state at its first use, which determines its kind, and keeps that kind: a use as another kind is
/// a bug of the facade.
#[derive(Debug, Default)]
pub(super) enum ObjectState {
    #[default]
    Fresh,
    Lock(Box<LockState>),
    Condvar(CondvarState),
    /// An atomic, or a count: the clock of its release sequence.
    Atomic(Clock),
    Cell(Box<CellState>),
    Token(Box<TokenState>),
}

impl ObjectState {
    pub(super) fn lock(&mut self) -> &mut LockState {
        if matches!(self, ObjectState::Fresh) {
            *self = ObjectState::Lock(Box::default());
        }
        match self {
            ObjectState::Lock(lock) => lock,
            other => other.is_no("lock"),
        }
    }

    pub(super) fn condvar(&mut self) -> &mut CondvarState {
        if matches!(self, ObjectState::Fresh) {
            *self = ObjectState::Condvar(CondvarState::default());
        }
        match self {
            ObjectState::Condvar(condvar) => condvar,
            other => other.is_no("condition variable"),
        }
    }

    pub(super) fn atomic(&mut self) -> &mut Clock {
        if matches!(self, ObjectState::Fresh) {
            *self = ObjectState::Atomic(Clock::default());
        }
        match self {
            ObjectState::Atomic(clock) => clock,
            other => other.is_no("atomic"),
        }
    }

    pub(super) fn cell(&mut self) -> &mut CellState {
        if matches!(self, ObjectState::Fresh) {
            *self = ObjectState::Cell(Box::default());
        }
        match self {
            ObjectState::Cell(cell) => cell,
            other => other.is_no("cell"),
        }
    }

    pub(super) fn token(&mut self) -> &mut TokenState {
        if matches!(self, ObjectState::Fresh) {
            *self = ObjectState::Token(Box::default());
        }
        match self {
            ObjectState::Token(token) => token,
            other => other.is_no("token"),
        }
    }

    #[cold]
    fn is_no(&self, wanted: &str) -> ! {
        let found = match self {
            ObjectState::Fresh => "nothing yet",
            ObjectState::Lock(_) => "a lock",
            ObjectState::Condvar(_) => "a condition variable",
            ObjectState::Atomic(_) => "an atomic",
            ObjectState::Cell(_) => "a cell",
            ObjectState::Token(_) => "a token",
        };
        panic!("invariant: an object is used as a {wanted} and is {found}")
    }

    /// Whether a lock in this mode could be taken now.
    pub(super) fn admits(&self, mode: Mode) -> bool {
        match self {
            ObjectState::Lock(lock) => lock.admits(mode),
            _ => true,
        }
    }

    /// The holders of the lock, for a deadlock report: the writer, or the readers.
    pub(super) fn holders(&self) -> Vec<TaskId> {
        match self {
            ObjectState::Lock(lock) => lock.holder.iter().chain(&lock.readers).copied().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the task wants the lock, for a deadlock report.
    pub(super) fn is_wanted_by(&self, task: TaskId) -> bool {
        matches!(self, ObjectState::Lock(lock) if lock.writing.contains(task) || lock.reading.contains(task))
    }
}

/// The objects of a run, by number.
#[derive(Debug, Default)]
pub(super) struct Objects(Vec<ObjectState>);

impl Objects {
    pub(super) fn add(&mut self, object: ObjectId) {
        assert_eq!(object.0 as usize, self.0.len(), "invariant: objects are numbered in the order of creation");
        self.0.push(ObjectState::Fresh);
    }

    pub(super) fn get(&self, object: ObjectId) -> &ObjectState {
        &self.0[object.0 as usize]
    }

    pub(super) fn lock(&mut self, object: ObjectId) -> &mut LockState {
        self.0[object.0 as usize].lock()
    }

    pub(super) fn condvar(&mut self, object: ObjectId) -> &mut CondvarState {
        self.0[object.0 as usize].condvar()
    }

    pub(super) fn atomic(&mut self, object: ObjectId) -> &mut Clock {
        self.0[object.0 as usize].atomic()
    }

    pub(super) fn cell(&mut self, object: ObjectId) -> &mut CellState {
        self.0[object.0 as usize].cell()
    }

    pub(super) fn token(&mut self, object: ObjectId) -> &mut TokenState {
        self.0[object.0 as usize].token()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ObjectId, &ObjectState)> {
        self.0.iter().zip(0..).map(|(object, number)| (ObjectId(number), object))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
