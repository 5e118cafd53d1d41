//! A loom atomic that makes loom explore both orders of each load and a later write.
//!
//! loom chooses the orders to try by the last access to each atomic, and keeps only one. If a task loads, and another
//! loads and then stores, the store is compared with its own task's load only: the order in which it precedes the
//! first load is never tried, and loom reports "complete". Each task's loads therefore also touch a probe of that task,
//! an atomic with no other use, and a write first touches the probes of the other tasks that have loaded since the
//! previous write. Only those writes access a task's probe, so it costs one branch per load and adds few executions.
//! Probes are relaxed and order nothing.

use std::sync::{Mutex, MutexGuard};

use crate::loom_or_std::sync::atomic::{AtomicUsize, Ordering};

use super::me;
use crate::loom_or_std as loom;
use crate::unpoisoned::locked;

const TASKS: usize = loom::MAX_THREADS;

/// One of loom's atomics, with its probes.
pub(crate) struct Probed<A> {
    atomic: A,
    /// By task. All are created with the atomic: to loom, one created later would race with its first use.
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
        // Other tasks may load while a probe is touched; their probes are touched too.
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
        locked(&self.readers)
    }
}
