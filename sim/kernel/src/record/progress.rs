//! The progress of a run, published for other OS threads: a run cannot report its own hang.

use std::panic::Location;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use super::name::{self, Name};
use super::op::{Op, OpKind};
use super::run::RunNumber;

/// The progress that the runs of one OS thread publish. The fields are not read as one unit: another thread may read
/// fields of two different operations.
#[derive(Debug, Default)]
pub struct Progress {
    /// The number of the run, 0 between runs.
    run: AtomicU64,
    /// Counts the operations performed; wraps.
    beats: AtomicU64,
    /// The number of the name of the task that runs.
    task: AtomicU32,
    kind: AtomicU32,
    place: AtomicPtr<Location<'static>>,
}

impl Progress {
    /// Publishes the start of a run.
    pub fn begin(&self, run: RunNumber) {
        self.place.store(std::ptr::null_mut(), Ordering::Relaxed);
        self.run.store(run.0, Ordering::Release);
    }

    /// Publishes the end of the run.
    pub fn end(&self) {
        self.run.store(RunNumber::NONE.0, Ordering::Release);
    }

    /// The run that is under way, [`RunNumber::NONE`] between runs.
    pub fn run(&self) -> RunNumber {
        RunNumber(self.run.load(Ordering::Acquire))
    }

    /// A counter that changes with each operation.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Publishes the task that runs.
    #[inline]
    pub fn lets_run(&self, task: Name) {
        self.task.store(task.number, Ordering::Relaxed);
    }

    /// Publishes an operation of the running task.
    #[inline]
    pub fn beat(&self, op: Op) {
        self.beats.store(self.beats.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        self.kind.store(op.kind as u32, Ordering::Relaxed);
        self.place.store(std::ptr::from_ref(op.location).cast_mut(), Ordering::Relaxed);
    }

    /// The name of the task that runs. It does not wait for a lock, since a signal handler may call it: `None` if the
    /// lock is held.
    pub fn task(&self) -> Option<&'static str> {
        name::text(self.task.load(Ordering::Relaxed))
    }

    /// The last operation, if there was one: its kind and its source line.
    pub fn last(&self) -> Option<(Option<OpKind>, &'static Location<'static>)> {
        let place = self.place()?;
        Some((OpKind::from_index(self.kind.load(Ordering::Relaxed)), place))
    }

    #[expect(unsafe_code, reason = "a source line is published as one word; see the argument at the block")]
    fn place(&self) -> Option<&'static Location<'static>> {
        let place = self.place.load(Ordering::Relaxed);
        // SAFETY: the word is null or was made from a `&'static Location` by `beat`, the only place that writes one;
        // such a reference is valid forever and its target never changes.
        unsafe { place.as_ref() }
    }
}
