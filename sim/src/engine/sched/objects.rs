//! What the kernel knows of each facade object: who holds it, who waits, and what synchronises through it.

use smallvec::SmallVec;

use super::clock::Clock;
use super::token::TokenState;
use crate::op::{ObjectId, TaskId};

/// How a lock is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Exclusive,
    Shared,
}

#[derive(Debug, Default)]
pub(super) struct LockState {
    pub(super) holder: Option<TaskId>,
    pub(super) readers: SmallVec<[TaskId; 2]>,
    /// Those that have announced the lock and do not have it.
    pub(super) contenders: SmallVec<[(TaskId, Mode); 4]>,
    /// What writers have released: readers and writers join it.
    pub(super) clock: Clock,
    /// What readers have released: only writers join it, as nothing orders one reader after another.
    pub(super) readers_clock: Clock,
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

/// The state takes its shape at the first use, which tells what the object is.
#[derive(Debug, Default)]
pub(super) enum ObjectState {
    #[default]
    Fresh,
    Lock(Box<LockState>),
    /// Waiters, each with the mutex that it has to take again.
    Condvar(SmallVec<[(TaskId, ObjectId); 4]>),
    /// An atomic, or a count: the clock of its release sequence.
    Atomic(Clock),
    Cell(Box<CellState>),
    Token(Box<TokenState>),
}

impl ObjectState {
    pub(super) fn lock(&mut self) -> &mut LockState {
        if !matches!(self, ObjectState::Lock(_)) {
            *self = ObjectState::Lock(Box::default());
        }
        let ObjectState::Lock(lock) = self else { unreachable!("invariant: just made a lock") };
        lock
    }

    pub(super) fn waiters(&mut self) -> &mut SmallVec<[(TaskId, ObjectId); 4]> {
        if !matches!(self, ObjectState::Condvar(_)) {
            *self = ObjectState::Condvar(SmallVec::new());
        }
        let ObjectState::Condvar(waiters) = self else { unreachable!("invariant: just made a condvar") };
        waiters
    }

    pub(super) fn atomic(&mut self) -> &mut Clock {
        if !matches!(self, ObjectState::Atomic(_)) {
            *self = ObjectState::Atomic(Clock::default());
        }
        let ObjectState::Atomic(clock) = self else { unreachable!("invariant: just made an atomic") };
        clock
    }

    pub(super) fn cell(&mut self) -> &mut CellState {
        if !matches!(self, ObjectState::Cell(_)) {
            *self = ObjectState::Cell(Box::default());
        }
        let ObjectState::Cell(cell) = self else { unreachable!("invariant: just made a cell") };
        cell
    }

    pub(super) fn token(&mut self) -> &mut TokenState {
        if !matches!(self, ObjectState::Token(_)) {
            *self = ObjectState::Token(Box::default());
        }
        let ObjectState::Token(token) = self else { unreachable!("invariant: just made a token") };
        token
    }

    /// Whether a lock in this mode could be taken now.
    pub(super) fn admits(&self, mode: Mode) -> bool {
        match self {
            ObjectState::Lock(lock) => lock.holder.is_none() && (mode == Mode::Shared || lock.readers.is_empty()),
            _ => true,
        }
    }

    /// Who holds the lock, for a deadlock report: the writer, or the first reader.
    pub(super) fn holder(&self) -> Option<TaskId> {
        match self {
            ObjectState::Lock(lock) => lock.holder.or_else(|| lock.readers.first().copied()),
            _ => None,
        }
    }
}
