//! Atomics, reference counts and fences: the orderings that an operation adds. The values belong to the caller.

use std::panic::Location;
use std::sync::atomic::Ordering;

use crate::kernel::Kernel;
use crate::record::{ObjectId, Op, OpKind};
use crate::state::State;
use crate::task::Need;

fn acquires(order: Ordering) -> bool {
    matches!(order, Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst)
}

fn releases(order: Ordering) -> bool {
    matches!(order, Ordering::Release | Ordering::AcqRel | Ordering::SeqCst)
}

impl Kernel {
    /// Announces a load with this ordering, which the caller then performs.
    #[inline]
    pub fn atomic_load(&self, object: ObjectId, order: Ordering, location: &'static Location<'static>) {
        self.enter(Op { kind: OpKind::Load, object, location }, Need::Nothing, |state| {
            if state.clocks.are_kept() {
                state.acquire_from(object, order);
            }
        });
    }

    /// Announces a store with this ordering, which the caller then performs.
    #[inline]
    pub fn atomic_store(&self, object: ObjectId, order: Ordering, location: &'static Location<'static>) {
        self.enter(Op { kind: OpKind::Store, object, location }, Need::Nothing, |state| {
            if state.clocks.are_kept() {
                state.release_to(object, order, false);
            }
        });
    }

    /// Announces a read-modify-write with this ordering, which the caller then performs.
    #[inline]
    pub fn atomic_rmw(&self, object: ObjectId, kind: OpKind, order: Ordering, location: &'static Location<'static>) {
        self.enter_writing(Op { kind, object, location }, |state| state.writes_atomic(object, order, order));
    }

    /// Announces the drop of a reference, which the caller then performs. As in std, only the last drop acquires the
    /// releases of the others.
    pub fn count_down(&self, object: ObjectId, location: &'static Location<'static>, is_last: impl FnOnce() -> bool) {
        self.enter_writing(Op { kind: OpKind::ArcDrop, object, location }, |state| {
            let acquired = if is_last() { Ordering::Acquire } else { Ordering::Relaxed };
            state.writes_atomic(object, acquired, Ordering::Release);
        });
    }

    /// Announces a compare-and-exchange, or an equivalent operation, which the caller then performs. Once the task is
    /// scheduled, `outcome` returns whether the operation will write, and its ordering.
    pub fn atomic_exchange(
        &self,
        object: ObjectId,
        kind: OpKind,
        location: &'static Location<'static>,
        outcome: impl FnOnce() -> Result<Ordering, Ordering>,
    ) {
        self.enter(Op { kind, object, location }, Need::Nothing, |state| match outcome() {
            Ok(order) => {
                state.changed();
                state.writes_atomic(object, order, order);
            }
            Err(order) if state.clocks.are_kept() => state.acquire_from(object, order),
            Err(_) => {}
        });
    }

    /// A fence with this ordering.
    pub fn fence(&self, order: Ordering, location: &'static Location<'static>) {
        self.enter(Op { kind: OpKind::Fence, object: ObjectId::NONE, location }, Need::Nothing, |state| {
            if !state.clocks.are_kept() {
                return;
            }
            let me = state.log.task;
            let clocks = state.clocks.of(me);
            if acquires(order) {
                let seen = std::mem::take(&mut clocks.seen);
                clocks.own.join(&seen);
            }
            if releases(order) {
                clocks.fenced = Some(clocks.own.clone());
                clocks.own.tick(me);
            }
        });
    }
}

impl State {
    /// A read-modify-write that acquires with one ordering and releases with another.
    #[inline]
    fn writes_atomic(&mut self, object: ObjectId, acquired: Ordering, released: Ordering) {
        if self.clocks.are_kept() {
            self.acquire_from(object, acquired);
            self.release_to(object, released, true);
        }
    }

    #[cold]
    fn acquire_from(&mut self, object: ObjectId, order: Ordering) {
        let sequence = self.objects.atomic(object);
        let clocks = self.clocks.of(self.log.task);
        if acquires(order) {
            clocks.own.join(sequence);
        } else {
            clocks.seen.join(sequence);
        }
    }

    #[cold]
    fn release_to(&mut self, object: ObjectId, order: Ordering, continues: bool) {
        let me = self.log.task;
        let sequence = self.objects.atomic(object);
        let clocks = self.clocks.of(me);
        let lent = if releases(order) { Some(&clocks.own) } else { clocks.fenced.as_ref() };
        match (lent, continues) {
            (Some(clock), true) => sequence.join(clock),
            (Some(clock), false) => sequence.assign(clock),
            (None, true) => {}
            (None, false) => sequence.assign(&crate::clock::Clock::default()),
        }
        if releases(order) {
            clocks.own.tick(me);
        }
    }
}
