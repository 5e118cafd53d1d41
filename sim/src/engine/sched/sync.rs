//! The primitives of the scheduled engine, on the kernel: locks, condition variables, atomics, fences, cells.

use std::panic::Location;
use std::sync::atomic::Ordering;

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

/// Takes the lock; it is free for this mode when this returns true. False: the run is over.
pub(crate) fn lock(object: ObjectId, mode: Mode, kind: OpKind, location: &'static Location<'static>) -> bool {
    let entered = enter(Op { kind, object, location }, Need::Lock(object, mode));
    if entered {
        with(|kernel| kernel.take(object, mode));
    }
    entered
}

/// Takes the lock if it is free. `None`: the run is over.
pub(crate) fn try_lock(
    object: ObjectId,
    mode: Mode,
    kind: OpKind,
    location: &'static Location<'static>,
) -> Option<bool> {
    if !enter(Op { kind, object, location }, Need::Nothing) {
        return None;
    }
    Some(with(|kernel| {
        let free = kernel.objects[object.0 as usize].admits(mode);
        if free {
            kernel.me().spin.end();
            kernel.take(object, mode);
        }
        free
    }))
}

/// Gives the lock back.
pub(crate) fn unlock(object: ObjectId, kind: OpKind, location: &'static Location<'static>) {
    // A point before the lock is given back lets others see it held, as `try_lock` can.
    enter(Op { kind, object, location }, Need::Nothing);
    with(|kernel| kernel.give(object));
}

impl Kernel {
    pub(super) fn take(&mut self, object: ObjectId, mode: Mode) {
        let me = self.current;
        let lock = self.objects[object.0 as usize].lock();
        match mode {
            Mode::Exclusive => lock.holder = Some(me),
            Mode::Shared => lock.readers.push(me),
        }
        lock.contenders.retain(|(task, _)| *task != me);
        let contended = !lock.contenders.is_empty();
        let clock = &mut self.tasks[me.index()].clock;
        clock.join(&lock.clock);
        if mode == Mode::Exclusive {
            clock.join(&lock.readers_clock);
        }
        if contended {
            self.refresh(object);
        }
    }

    pub(super) fn give(&mut self, object: ObjectId) {
        let me = self.current;
        let lock = self.objects[object.0 as usize].lock();
        let clock = &mut self.tasks[me.index()].clock;
        if lock.holder == Some(me) {
            lock.holder = None;
            lock.clock.join(clock);
        } else if let Some(place) = lock.readers.iter().position(|reader| *reader == me) {
            lock.readers.remove(place);
            lock.readers_clock.join(clock);
        }
        clock.tick(me);
        let contended = !lock.contenders.is_empty();
        if contended {
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

/// Gives the mutex up, waits to be notified, takes the mutex again.
pub(crate) fn wait(condvar: ObjectId, mutex: ObjectId, location: &'static Location<'static>) -> Waited {
    wait_until(condvar, mutex, None, location)
}

/// Like [`wait`], until a moment of virtual time at the latest.
pub(crate) fn wait_until(
    condvar: ObjectId,
    mutex: ObjectId,
    timeout_ns: Option<u64>,
    location: &'static Location<'static>,
) -> Waited {
    let op = Op { kind: OpKind::Wait, object: condvar, location };
    if !enter(op, Need::Nothing) {
        return Waited::Over;
    }
    if with(|kernel| std::mem::take(&mut kernel.objects[condvar.0 as usize].condvar().is_late)) {
        return Waited::Notified;
    }
    with(|kernel| {
        let me = kernel.current;
        kernel.give(mutex);
        kernel.objects[condvar.0 as usize].waiters().push((me, mutex));
        kernel.me().waits_on = Some(condvar);
        kernel.me().timed_out = false;
        match timeout_ns {
            Some(timeout_ns) => kernel.sleep_until(kernel.now_ns.saturating_add(timeout_ns)),
            None => kernel.make_blocked(me),
        }
    });
    give_way(condvar, location);
    if with(|kernel| std::mem::take(&mut kernel.me().timed_out)) {
        run::with(|run| run.record(Item::TimedOut, location));
        lock(mutex, Mode::Exclusive, OpKind::Lock, location);
        return Waited::TimedOut;
    }
    // The notifier made this task a contender for the mutex, so it is free now.
    with(|kernel| kernel.take(mutex, Mode::Exclusive));
    Waited::Notified
}

/// How many waiters a notification wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notify {
    One,
    All,
}

/// Wakes one waiter, any one of them, or all.
pub(crate) fn notify(condvar: ObjectId, how: Notify, location: &'static Location<'static>) {
    let kind = match how {
        Notify::One => OpKind::NotifyOne,
        Notify::All => OpKind::NotifyAll,
    };
    if !enter(Op { kind, object: condvar, location }, Need::Nothing) {
        return;
    }
    let count = with(|kernel| kernel.objects[condvar.0 as usize].waiters().len());
    // std leaves open which waiter wakes. Each notification is counted, also one that finds no choice: how many waiters
    // there are depends on the schedule.
    let first = match (how, run::with(run::Run::notifies)) {
        (Notify::One, Some((task, nth))) => Choice::Waiter { task: task.0, nth }.below(count as u64) as usize,
        _ => 0,
    };
    with(|kernel| {
        let waiters = kernel.objects[condvar.0 as usize].waiters();
        let woken: Vec<(TaskId, ObjectId)> = match how {
            Notify::One => waiters.get(first).copied().into_iter().collect(),
            Notify::All => waiters.to_vec(),
        };
        waiters.retain(|waiter| !woken.contains(waiter));
        for (task, mutex) in woken {
            kernel.unsleep(task);
            kernel.tasks[task.index()].waits_on = None;
            kernel.contend(task, mutex, Mode::Exclusive);
        }
    });
}

/// A notification by a task that a panic unwinds, and which could not take the mutex: every present waiter is woken, and
/// the next wait returns at once, so that the task that holds the mutex does not miss what it could not be told in order.
pub(crate) fn notify_late(condvar: ObjectId, location: &'static Location<'static>) {
    notify(condvar, Notify::All, location);
    with(|kernel| kernel.objects[condvar.0 as usize].condvar().is_late = true);
}

fn acquires(order: Ordering) -> bool {
    matches!(order, Ordering::Acquire | Ordering::AcqRel | Ordering::SeqCst)
}

fn releases(order: Ordering) -> bool {
    matches!(order, Ordering::Release | Ordering::AcqRel | Ordering::SeqCst)
}

/// A load of this order is about to read.
pub(crate) fn atomic_load(object: ObjectId, order: Ordering, location: &'static Location<'static>) {
    if enter(Op { kind: OpKind::Load, object, location }, Need::Nothing) {
        with(|kernel| kernel.acquire_from(object, order));
    }
}

/// A store of this order is about to write.
pub(crate) fn atomic_store(object: ObjectId, order: Ordering, location: &'static Location<'static>) {
    if enter(Op { kind: OpKind::Store, object, location }, Need::Nothing) {
        with(|kernel| kernel.release_to(object, order, false));
    }
}

/// A read-modify-write of this order is about to happen.
pub(crate) fn atomic_rmw(object: ObjectId, kind: OpKind, order: Ordering, location: &'static Location<'static>) {
    if enter(Op { kind, object, location }, Need::Nothing) {
        with(|kernel| {
            kernel.me().spin.end();
            kernel.acquire_from(object, order);
            kernel.release_to(object, order, true);
        });
    }
}

/// A strong reference is about to go. std's last drop acquires what the others released; the others acquire nothing.
pub(crate) fn count_down(object: ObjectId, location: &'static Location<'static>, is_last: impl FnOnce() -> bool) {
    if enter(Op { kind: OpKind::ArcDrop, object, location }, Need::Nothing) {
        let acquired = if is_last() { Ordering::Acquire } else { Ordering::Relaxed };
        with(|kernel| {
            kernel.acquire_from(object, acquired);
            kernel.release_to(object, Ordering::Release, true);
        });
    }
}

/// A compare-and-exchange, or what amounts to one, is about to happen; `outcome` tells, once it is this task's turn,
/// whether it writes and with which order.
pub(crate) fn atomic_exchange(
    object: ObjectId,
    kind: OpKind,
    location: &'static Location<'static>,
    outcome: impl FnOnce() -> Result<Ordering, Ordering>,
) {
    if enter(Op { kind, object, location }, Need::Nothing) {
        let outcome = outcome();
        with(|kernel| match outcome {
            Ok(order) => {
                kernel.me().spin.end();
                kernel.acquire_from(object, order);
                kernel.release_to(object, order, true);
            }
            Err(order) => kernel.acquire_from(object, order),
        });
    }
}

impl Kernel {
    fn acquire_from(&mut self, object: ObjectId, order: Ordering) {
        let sequence = self.objects[object.0 as usize].atomic();
        let task = &mut self.tasks[self.current.index()];
        if acquires(order) {
            task.clock.join(sequence);
        } else {
            task.seen.join(sequence);
        }
    }

    fn release_to(&mut self, object: ObjectId, order: Ordering, continues: bool) {
        let me = self.current;
        let sequence = self.objects[object.0 as usize].atomic();
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
    if !enter(Op { kind: OpKind::Fence, object: ObjectId::NONE, location }, Need::Nothing) {
        return;
    }
    with(|kernel| {
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

/// Checks an access to a plain cell against those before (FastTrack; Flanagan and Freund, PLDI 2009). No scheduling
/// point: whether two accesses race does not depend on the order in which they happened to run.
pub(crate) fn cell_access(object: ObjectId, kind: OpKind, location: &'static Location<'static>) {
    let race = with(|kernel| {
        if kernel.halted {
            return None;
        }
        let me = kernel.current;
        let clock = &kernel.tasks[me.index()].clock;
        let here = Epoch { task: me, tick: clock.get(me), location };
        let cell = kernel.objects[object.0 as usize].cell();
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
        race
    });
    run::with(|run| run.operated(Op { kind, object, location }));
    if let Some((did, earlier)) = race {
        let doing = if kind == OpKind::CellWrite { "writes" } else { "reads" };
        let violation = run::with(|run| {
            let name = |task: TaskId| run.tasks.get(task.index()).map_or("-", |task| &*task.name);
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
