//! The primitives of the scheduled engine, on the kernel: locks, condition variables, atomics, fences, cells.

use std::panic::Location;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::clock::Clock;
use super::kernel::{Kernel, Need};
pub(crate) use super::objects::Mode as LockMode;
use super::objects::{Epoch, Mode};
use super::{enter, give_way, with};
use crate::engine;
use crate::op::{ObjectId, Op, OpKind, TaskId};
use crate::random::Choice;
use crate::run;
use crate::trace::Item;
use crate::violation::{Violation, ViolationKind};

/// Takes the lock; when this returns true, the lock is free for this mode. False: the run is over.
#[inline]
pub(crate) fn lock(object: ObjectId, mode: Mode, kind: OpKind, location: &'static Location<'static>) -> bool {
    let need = Need::Lock(object, mode);
    enter(Op { kind, object, location }, need, |kernel| kernel.take(object, mode)).is_some()
}

/// Takes the lock if it is free. `None`: the run is over.
pub(crate) fn try_lock(
    object: ObjectId,
    mode: Mode,
    kind: OpKind,
    location: &'static Location<'static>,
) -> Option<bool> {
    enter(Op { kind, object, location }, Need::Nothing, |kernel| {
        let free = kernel.objects.get(object).admits(mode);
        if free {
            kernel.me().spin.end();
            kernel.take(object, mode);
        }
        free
    })
}

/// Releases the lock.
#[inline]
pub(crate) fn unlock(object: ObjectId, kind: OpKind, location: &'static Location<'static>) {
    // A scheduling point before the release lets other tasks see the lock held, as `try_lock` can.
    if enter(Op { kind, object, location }, Need::Nothing, |kernel| kernel.give(object)).is_none() {
        with(|kernel| kernel.give(object));
    }
}

impl Kernel {
    #[inline]
    pub(super) fn take(&mut self, object: ObjectId, mode: Mode) {
        let me = self.current;
        let lock = self.objects.lock(object);
        match mode {
            Mode::Exclusive => lock.holder = Some(me),
            Mode::Shared => lock.readers.push(me),
        }
        if self.tracks {
            let clock = &mut self.tasks[me.index()].clock;
            clock.join(&lock.clock);
            if mode == Mode::Exclusive {
                clock.join(&lock.readers_clock);
            }
        }
        if lock.is_contended() {
            lock.contenders(mode).remove(me);
            self.refresh(object);
        }
    }

    #[inline]
    pub(super) fn give(&mut self, object: ObjectId) {
        let me = self.current;
        let lock = self.objects.lock(object);
        let clock = &mut self.tasks[me.index()].clock;
        if lock.holder == Some(me) {
            lock.holder = None;
            if self.tracks {
                lock.clock.join(clock);
            }
        } else if let Some(place) = lock.readers.iter().position(|reader| *reader == me) {
            lock.readers.remove(place);
            if self.tracks {
                lock.readers_clock.join(clock);
            }
        }
        if self.tracks {
            clock.tick(me);
        }
        if lock.is_contended() {
            self.refresh(object);
        }
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Notified,
    TimedOut,
    Over,
}

/// Releases the mutex, waits for a notification, takes the mutex again.
pub(crate) fn wait(condvar: ObjectId, mutex: ObjectId, location: &'static Location<'static>) -> Waited {
    wait_until(condvar, mutex, None, location)
}

/// Like [`wait`], with a deadline in virtual time.
pub(crate) fn wait_until(
    condvar: ObjectId,
    mutex: ObjectId,
    timeout_ns: Option<u64>,
    location: &'static Location<'static>,
) -> Waited {
    let op = Op { kind: OpKind::Wait, object: condvar, location };
    let waits = enter(op, Need::Nothing, |kernel| {
        if std::mem::take(&mut kernel.objects.condvar(condvar).is_late) {
            return false;
        }
        let me = kernel.current;
        kernel.give(mutex);
        kernel.objects.condvar(condvar).waiters.push((me, mutex));
        kernel.me().waits_on = Some(condvar);
        kernel.me().timed_out = false;
        match timeout_ns {
            Some(timeout_ns) => kernel.sleep_until(kernel.now_ns.saturating_add(timeout_ns)),
            None => kernel.make_blocked(me),
        }
        true
    });
    match waits {
        None => return Waited::Over,
        Some(false) => return Waited::Notified,
        Some(true) => give_way(condvar, location),
    }
    let timed_out = with(|kernel| {
        let timed_out = std::mem::take(&mut kernel.me().timed_out);
        if timed_out {
            kernel.run.record(Item::TimedOut, location);
        } else {
            // The notifier made this task a contender for the mutex, so it is free now.
            kernel.take(mutex, Mode::Exclusive);
        }
        timed_out
    });
    if timed_out {
        lock(mutex, Mode::Exclusive, OpKind::Lock, location);
        return Waited::TimedOut;
    }
    Waited::Notified
}

/// How many waiters a notification wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notify {
    One,
    All,
}

/// Wakes one waiter, chosen at random, or all.
pub(crate) fn notify(condvar: ObjectId, how: Notify, location: &'static Location<'static>) {
    let kind = match how {
        Notify::One => OpKind::NotifyOne,
        Notify::All => OpKind::NotifyAll,
    };
    enter(Op { kind, object: condvar, location }, Need::Nothing, |kernel| {
        // Each notification is counted, even without a choice: the schedule decides how many waiters there are.
        let (task, nth) = kernel.run.notifies();
        let waiters = &mut kernel.objects.condvar(condvar).waiters;
        let woken: SmallVec<[(TaskId, ObjectId); 4]> = match how {
            Notify::One if waiters.is_empty() => SmallVec::new(),
            Notify::One => {
                // std does not specify which waiter wakes.
                let choice = Choice::Waiter { task: task.0, nth };
                let first = choice.below_in(kernel.run.seed, waiters.len() as u64) as usize;
                SmallVec::from_slice(&[waiters.remove(first)])
            }
            Notify::All => std::mem::take(waiters),
        };
        for (task, mutex) in woken {
            kernel.unsleep(task);
            kernel.tasks[task.index()].waits_on = None;
            kernel.contend(task, mutex, Mode::Exclusive);
        }
    });
}

/// A notification by a task that a panic unwinds and that could not take the mutex: every present waiter is woken, and
/// the next wait returns at once, so that the task that holds the mutex does not miss the notification.
pub(crate) fn notify_late(condvar: ObjectId, location: &'static Location<'static>) {
    notify(condvar, Notify::All, location);
    with(|kernel| kernel.objects.condvar(condvar).is_late = true);
}

fn acquires(order: Ordering) -> bool {
    matches!(order, Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst)
}

fn releases(order: Ordering) -> bool {
    matches!(order, Ordering::Release | Ordering::AcqRel | Ordering::SeqCst)
}

/// A load of this order is about to read.
#[inline]
pub(crate) fn atomic_load(object: ObjectId, order: Ordering, location: &'static Location<'static>) {
    enter(Op { kind: OpKind::Load, object, location }, Need::Nothing, |kernel| {
        if kernel.tracks {
            kernel.acquire_from(object, order);
        }
    });
}

/// A store of this order is about to write.
#[inline]
pub(crate) fn atomic_store(object: ObjectId, order: Ordering, location: &'static Location<'static>) {
    enter(Op { kind: OpKind::Store, object, location }, Need::Nothing, |kernel| {
        if kernel.tracks {
            kernel.release_to(object, order, false);
        }
    });
}

/// A read-modify-write of this order is about to happen.
#[inline]
pub(crate) fn atomic_rmw(object: ObjectId, kind: OpKind, order: Ordering, location: &'static Location<'static>) {
    enter(Op { kind, object, location }, Need::Nothing, |kernel| kernel.writes_atomic(object, order, order));
}

/// A strong reference is about to be dropped. std's last drop acquires the others' releases; the rest acquire nothing.
pub(crate) fn count_down(object: ObjectId, location: &'static Location<'static>, is_last: impl FnOnce() -> bool) {
    enter(Op { kind: OpKind::ArcDrop, object, location }, Need::Nothing, |kernel| {
        let acquired = if is_last() { Ordering::Acquire } else { Ordering::Relaxed };
        kernel.writes_atomic(object, acquired, Ordering::Release);
    });
}

/// A compare-and-exchange, or an equivalent operation, is about to happen; when it is this task's turn, `outcome`
/// returns whether it writes and with which order.
pub(crate) fn atomic_exchange(
    object: ObjectId,
    kind: OpKind,
    location: &'static Location<'static>,
    outcome: impl FnOnce() -> Result<Ordering, Ordering>,
) {
    enter(Op { kind, object, location }, Need::Nothing, |kernel| match outcome() {
        Ok(order) => kernel.writes_atomic(object, order, order),
        Err(order) if kernel.tracks => kernel.acquire_from(object, order),
        Err(_) => {}
    });
}

impl Kernel {
    /// A read-modify-write that acquires by one order and releases by another.
    #[inline]
    fn writes_atomic(&mut self, object: ObjectId, acquired: Ordering, released: Ordering) {
        self.me().spin.end();
        if self.tracks {
            self.acquire_from(object, acquired);
            self.release_to(object, released, true);
        }
    }

    fn acquire_from(&mut self, object: ObjectId, order: Ordering) {
        let sequence = self.objects.atomic(object);
        let task = &mut self.tasks[self.current.index()];
        if acquires(order) {
            task.clock.join(sequence);
        } else {
            task.seen.join(sequence);
        }
    }

    fn release_to(&mut self, object: ObjectId, order: Ordering, continues: bool) {
        let me = self.current;
        let sequence = self.objects.atomic(object);
        let task = &mut self.tasks[me.index()];
        let lent = if releases(order) { Some(&task.clock) } else { task.fenced.as_ref() };
        match (lent, continues) {
            (Some(clock), true) => sequence.join(clock),
            (Some(clock), false) => sequence.assign(clock),
            (None, true) => {}
            (None, false) => *sequence = Clock::default(),
        }
        if releases(order) {
            task.clock.tick(me);
        }
    }
}

/// A fence of this order.
pub(crate) fn fence(order: Ordering, location: &'static Location<'static>) {
    enter(Op { kind: OpKind::Fence, object: ObjectId::NONE, location }, Need::Nothing, |kernel| {
        if !kernel.tracks {
            return;
        }
        let me = kernel.current;
        let task = &mut kernel.tasks[me.index()];
        if acquires(order) {
            let seen = std::mem::take(&mut task.seen);
            task.clock.join(&seen);
        }
        if releases(order) {
            task.fenced = Some(task.clock.clone());
            task.clock.tick(me);
        }
    });
}

/// Checks an access to a plain cell against earlier ones (FastTrack; Flanagan and Freund, PLDI 2009). Not a scheduling
/// point: whether two accesses race does not depend on the order in which they ran.
pub(crate) fn cell_access(object: ObjectId, kind: OpKind, location: &'static Location<'static>) {
    let race = with(|kernel| {
        if kernel.halted {
            return None;
        }
        if !kernel.tracks {
            kernel.track();
        }
        let me = kernel.current;
        let clock = &kernel.tasks[me.index()].clock;
        let here = Epoch { task: me, tick: clock.get(me), location };
        let cell = kernel.objects.cell(object);
        let unordered = |earlier: &Epoch| earlier.task != me && clock.get(earlier.task) < earlier.tick;
        let mut race = cell.write.filter(unordered).map(|earlier| ("wrote", earlier));
        if kind == OpKind::CellWrite {
            race = race.or_else(|| cell.reads.iter().copied().find(unordered).map(|earlier| ("read", earlier)));
            cell.reads.clear();
            cell.write = Some(here);
        } else {
            cell.reads.retain(|read| read.task != me);
            cell.reads.push(here);
        }
        kernel.run.operated(Op { kind, object, location });
        race
    });
    if let Some((did, earlier)) = race {
        let doing = if kind == OpKind::CellWrite { "writes" } else { "reads" };
        let violation = run::with(|run| {
            let name = |task: TaskId| run.tasks.get(task.index()).map_or("-", |task| task.name.text);
            let class = run.objects.get(object.0 as usize).copied().unwrap_or("cell");
            let label = run.label(object);
            Violation::about(
                ViolationKind::DataRace,
                class,
                format!(
                    "{} {doing} {label}, which {} {did} with nothing between to order them",
                    name(run.task),
                    name(earlier.task)
                ),
            )
            .fact("cell", label)
            .fact("first", format!("{}, {}:{}", name(earlier.task), earlier.location.file(), earlier.location.line()))
            .fact("second", format!("{}, {}:{}", name(run.task), location.file(), location.line()))
        });
        if let Some(violation) = violation {
            engine::fail(violation);
        }
    }
}
