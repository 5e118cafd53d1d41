//! Position counters: memory of the driver that clients write, and that the driver frees and reuses.
//!
//! The driver allocates a counter for each subscription that an image is announced to, and the client keeps its address
//! (`subscriber_position`). When the image has ended, the driver frees the counter. It reuses the slot for a new
//! counter no earlier than `free_to_reuse_timeout` later (one second by default). A client that stores through the old
//! address then changes another counter.
//!
//! Deviates: upstream relies on that second, and does not wait for the client. But a conductor may stall for ten
//! seconds (`inter_service_timeout`), and a subscriber may stall forever between its check of `is_closed` and its
//! store. The fixed model assumes that the second suffices: it reuses a slot only when the conductor has handled the
//! image's end, and never while a subscriber is between check and access. `reuse_ignores_stalls` behaves like
//! upstream's driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering as Plain};

use lastref::ledger::{Owner, Resource};
use lastref::property::sometimes;
use lastref::sync::atomic::{AtomicI64, Ordering};

use super::driver::DRIVER;
use super::variant::Variant;

/// One allocation of a counter: the target of `int64_t *subscriber_position`.
#[derive(Debug)]
pub(super) struct Position {
    value: Arc<AtomicI64>,
    memory: Resource,
    /// Harness state, invisible to the schedule; replaces the driver's second.
    handled: AtomicBool,
    accesses: AtomicU32,
}

/// Exists while a subscriber is between its check of `is_closed` and its access.
#[derive(Debug)]
pub(super) struct Access<'a>(&'a Position);

impl Position {
    /// Begins a check of `is_closed` and the access after it; the driver's second cannot pass meanwhile.
    pub(super) fn access(&self) -> Access<'_> {
        self.accesses.fetch_add(1, Plain::SeqCst);
        Access(self)
    }

    /// The plain read of the polling thread, the only writer.
    #[track_caller]
    pub(super) fn get(&self, by: Owner) -> i64 {
        self.memory.touch(by);
        self.value.load(Ordering::Relaxed)
    }

    /// `aeron_counter_get_acquire`.
    #[track_caller]
    pub(super) fn get_acquire(&self, by: Owner) -> i64 {
        self.memory.touch(by);
        self.value.load(Ordering::Acquire)
    }

    /// `aeron_counter_set_release`.
    #[track_caller]
    pub(super) fn set_release(&self, by: Owner, position: i64) {
        self.memory.touch(by);
        self.value.store(position, Ordering::Release);
    }

    /// Records that the conductor has handled the end of the image.
    pub(super) fn handled(&self) {
        self.handled.store(true, Plain::SeqCst);
    }

    fn is_spare(&self) -> bool {
        self.handled.load(Plain::SeqCst) && self.accesses.load(Plain::SeqCst) == 0
    }
}

impl Drop for Access<'_> {
    fn drop(&mut self) {
        self.0.accesses.fetch_sub(1, Plain::SeqCst);
    }
}

/// `aeron_counters_manager_t`, which is the driver's.
#[derive(Debug)]
pub(super) struct CountersManager {
    variant: Variant,
    allocated: Vec<Arc<Position>>,
    /// Freed and not reused yet.
    reclaimed: Vec<Arc<Position>>,
}

impl CountersManager {
    pub(super) fn new(variant: Variant) -> CountersManager {
        CountersManager { variant, allocated: Vec::new(), reclaimed: Vec::new() }
    }

    /// Allocates a counter, in a slot that was freed long enough ago, if any.
    pub(super) fn allocate(&mut self) -> Arc<Position> {
        // upstream: aeron_counters_manager.c aeron_counters_manager_next_counter_id
        let ignores = self.variant == Variant::ReuseIgnoresStalls;
        let spare = self.reclaimed.iter().position(|position| ignores || position.is_spare());
        let value = match spare.map(|place| self.reclaimed.remove(place)) {
            Some(old) => {
                sometimes("a position counter is reused", true);
                old.memory.release(DRIVER);
                old.value.store(0, Ordering::Release);
                Arc::clone(&old.value)
            }
            None => Arc::new(AtomicI64::named("subscriber_position", 0)),
        };
        let position = Arc::new(Position {
            value,
            memory: Resource::acquire("subscriber_position", DRIVER),
            handled: AtomicBool::new(false),
            accesses: AtomicU32::new(0),
        });
        self.allocated.push(Arc::clone(&position));
        position
    }

    /// Frees a counter; its slot can be reused later.
    pub(super) fn free(&mut self, position: &Arc<Position>) {
        let Some(place) = self.allocated.iter().position(|other| Arc::ptr_eq(other, position)) else { return };
        self.reclaimed.push(self.allocated.remove(place));
    }

    /// Frees the counters file with the driver, after its clients have ended.
    pub(super) fn close(self) {
        for position in self.allocated.iter().chain(&self.reclaimed) {
            position.memory.release(DRIVER);
        }
    }
}
