//! A completion queue: memory that kernel and application share.
//!
//! The kernel writes an entry and publishes it with a release store of the tail; the application reads the tail with
//! acquire and returns entries with a release store of the head (barrier.h, `io_uring_for_each_cqe`,
//! `io_uring_cq_advance`). Completions that find no room wait in an overflow list, in order, until the application
//! enters the kernel again.

use std::sync::Arc;

use lastref::cell::RaceCell;
use lastref::sync::atomic::{AtomicU32, Ordering};

use super::abi::Cqe;

/// The shared memory.
pub(super) struct Shared {
    head: AtomicU32,
    tail: AtomicU32,
    cqes: Box<[RaceCell<Cqe>]>,
}

impl Shared {
    pub(super) fn new(entries: u32) -> Arc<Shared> {
        Arc::new(Shared {
            head: AtomicU32::named("cq.head", 0),
            tail: AtomicU32::named("cq.tail", 0),
            cqes: (0..entries).map(|_| RaceCell::named("io_uring_cqe", Cqe::EMPTY)).collect(),
        })
    }

    fn place(&self, position: u32) -> &RaceCell<Cqe> {
        &self.cqes[position as usize % self.cqes.len()]
    }

    /// The entry at the application's head, if the kernel has published it.
    pub(super) fn peek(&self, head: u32) -> Option<Cqe> {
        (head != self.tail.load(Ordering::Acquire)).then(|| self.place(head).get())
    }

    /// `io_uring_cq_advance`.
    pub(super) fn advance(&self, head: u32) {
        self.head.store(head, Ordering::Release);
    }
}

/// The kernel's half.
pub(super) struct Writer {
    shared: Arc<Shared>,
    tail: u32,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Writer {
        Writer { shared, tail: 0 }
    }

    /// Publishes a completion; false if there is no room.
    pub(super) fn post(&mut self, cqe: Cqe) -> bool {
        let used = self.tail.wrapping_sub(self.shared.head.load(Ordering::Acquire));
        if used as usize == self.shared.cqes.len() {
            return false;
        }
        self.shared.place(self.tail).set(cqe);
        self.tail = self.tail.wrapping_add(1);
        self.shared.tail.store(self.tail, Ordering::Release);
        true
    }

    /// True if the application, whose head is `head`, has a completion to read.
    pub(super) fn has_unread(&self, head: u32) -> bool {
        self.tail != head
    }
}
