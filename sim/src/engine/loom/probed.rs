//! An atomic of loom whose loads no later write forgets.
//!
//! loom decides which orders to try by the last access to each atomic, and keeps one. If a task loads, another loads and
//! then stores, the store is compared with its own task's load only: the order in which it comes before the first load is
//! never tried, and loom calls that "complete". So each task's loads also touch a probe of that task's own, an atomic that
//! nothing else uses, and a write first touches the probes of the other tasks that have loaded since the write before it.
//! A task's probe meets nobody's but those writes, so it costs a branch a load and adds few executions. Probes are
//! relaxed and order nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use loom::sync::atomic::{AtomicUsize, Ordering};

use super::me;

const TASKS: usize = loom::MAX_THREADS;

/// One of loom's atomics, with its probes.
pub(crate) struct Probed<A> {
    atomic: A,
    /// By task. All are made with the atomic: one made later would be a race with its first use, as loom sees it.
    probes: [AtomicUsize; TASKS],
    /// The tasks that have loaded since the last write.
    readers: Mutex<[bool; TASKS]>,
}

impl<A> Probed<A> {
    pub(crate) fn new(atomic: A) -> Probed<A> {
        Probed { atomic, probes: std::array::from_fn(|_| AtomicUsize::new(0)), readers: Mutex::default() }
    }

    /// A load.
    pub(crate) fn read<R>(&self, load: impl FnOnce(&A) -> R) -> R {
        let task = me().index();
        self.touch(task);
        let value = load(&self.atomic);
        self.readers()[task] = true;
        value
    }

    /// A store, or a read-modify-write.
    pub(crate) fn write<R>(&self, write: impl FnOnce(&A) -> R) -> R {
        let mut touched = [false; TASKS];
        touched[me().index()] = true;
        // Others may load while a probe is touched; those that do are touched too.
        while let Some(reader) = self.next_reader(&touched) {
            touched[reader] = true;
            self.touch(reader);
        }
        let value = write(&self.atomic);
        *self.readers() = Default::default();
        value
    }

    fn next_reader(&self, touched: &[bool; TASKS]) -> Option<usize> {
        let readers = self.readers();
        (0..TASKS).find(|task| readers[*task] && !touched[*task])
    }

    fn touch(&self, task: usize) {
        self.probes[task].fetch_add(1, Ordering::Relaxed);
    }

    fn readers(&self) -> MutexGuard<'_, [bool; TASKS]> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
