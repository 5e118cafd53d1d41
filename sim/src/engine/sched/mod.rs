//! The scheduled engines: the kernel decides every step, coroutines carry it out.
//!
//! Coroutines give stacks and switches, nothing else: ours by [`fiber`], and by [`shuttle`] a second source of them, to
//! check the first against. shuttle's own primitives are not used. They know no announced operations, no timeouts, no
//! orderings weaker than sequential consistency and no counted references, and those are what this harness is for.

mod alarm;
mod clock;
mod execution;
mod fiber;
mod kernel;
mod objects;
mod shuttle;
mod sync;
#[cfg(test)]
mod tests;
mod token;

use std::cell::RefCell;
use std::panic::Location;

pub(crate) use alarm::{await_alarm, set_alarm, start_alarm};
pub(crate) use kernel::Bounds;
use kernel::{Go, Kernel, Need, Next};
use objects::ObjectState;
pub(crate) use execution::{Coroutines, Ended, Setup, execute};
pub(crate) use sync::{
    LockMode, Notify, Waited, atomic_exchange, atomic_load, atomic_rmw, atomic_store, cell_access, count_down, fence,
    lock, notify, notify_late, try_lock, unlock, wait, wait_until,
};

pub(crate) use token::{give_token, take_token, try_take_token};

use crate::op::{ObjectId, Op, OpKind, TaskId};
use crate::panics;
use crate::run;
use crate::trace::Item;

thread_local! {
    static KERNEL: RefCell<Option<Kernel>> = const { RefCell::new(None) };
}

fn with<R>(f: impl FnOnce(&mut Kernel) -> R) -> R {
    KERNEL.with_borrow_mut(|kernel| match kernel {
        Some(kernel) => f(kernel),
        None => unreachable!("invariant: the scheduled arm is entered with a kernel"),
    })
}

pub(crate) fn new_object(object: ObjectId) {
    with(|kernel| {
        assert_eq!(object.0 as usize, kernel.objects.len(), "invariant: objects are numbered in the order of creation");
        kernel.objects.push(ObjectState::default());
    });
}

/// Tells the run whose code goes on, at which step and moment.
fn resume() {
    let (task, step, now_ns) = with(|kernel| (kernel.current, kernel.steps, kernel.now_ns));
    run::with(|run| run.resumes(task, step, now_ns));
}

/// Announces `op`, lets the strategy decide, and returns when the task may do it. False: the run is over.
///
/// A destructor that runs while a panic unwinds must not switch, since the panic would be seen by every task: its
/// operation happens at once, as part of the step before. One that would have to wait has no way on.
fn enter(op: Op, need: Need) -> bool {
    let op = Op { location: run::placed(op.location), ..op };
    let go = if std::thread::panicking() {
        with(|kernel| kernel.pass(op, need))
    } else {
        with(|kernel| kernel.arrive(op, need))
    };
    match go {
        Go::Stay => {}
        Go::Switch => switch(),
        Go::Over => return false,
        Go::Stuck => panics::stuck_while_unwinding(&format!("waits ({})", op.kind)),
    }
    let (task, step, now_ns) = with(|kernel| (kernel.current, kernel.steps, kernel.now_ns));
    run::with(|run| {
        run.resumes(task, step, now_ns);
        run.operated(op);
    });
    true
}

/// The current task has been made to wait: another goes on, until this one is chosen again.
fn give_way(on: ObjectId, location: &'static Location<'static>) {
    if std::thread::panicking() {
        panics::stuck_while_unwinding("waits");
    }
    run::with(|run| run.record(Item::Blocked { on }, location));
    match with(Kernel::go) {
        Go::Stay => {}
        Go::Switch | Go::Over | Go::Stuck => switch(),
    }
    resume();
}

pub(crate) fn point(op: Op) {
    enter(op, Need::Nothing);
}

/// Ends the run at this very place; the task is not resumed.
pub(crate) fn stop_here() {
    let over = with(|kernel| {
        let over = std::mem::replace(&mut kernel.halted, true);
        kernel.pending = Some(Next::Halt);
        over
    });
    if !over {
        switch();
    }
}

pub(crate) fn yield_now(location: &'static Location<'static>) {
    with(Kernel::yields);
    point(Op { kind: OpKind::Yield, object: ObjectId::NONE, location });
}

pub(crate) fn sleep_ns(duration_ns: u64, location: &'static Location<'static>) {
    // A destructor that sleeps while a panic unwinds its task does not: no other task could run meanwhile.
    if std::thread::panicking() || !enter(Op { kind: OpKind::Sleep, object: ObjectId::NONE, location }, Need::Nothing) {
        return;
    }
    with(|kernel| kernel.sleep_until(kernel.now_ns.saturating_add(duration_ns)));
    give_way(ObjectId::NONE, location);
    with(|kernel| kernel.me().timed_out = false);
    run::with(|run| run.record(Item::TimedOut, location));
}

/// Starts a task that runs `body`. A scheduling point, except within a poll: a poll may hold locks of std, which its
/// executor takes around a spawn, and a switch would leave them held by a task that does not run.
pub(crate) fn spawn(name: Option<String>, body: Box<dyn FnOnce()>, location: &'static Location<'static>) -> TaskId {
    let op = Op { kind: OpKind::Spawn, object: ObjectId::NONE, location };
    if run::with(|run| run.is_polling()).unwrap_or(false) {
        run::with(|run| run.operated(op));
    } else {
        point(op);
    }
    let Some((id, key)) = run::with(|run| run.spawned(name)) else { return TaskId::MAIN };
    let over = with(|kernel| {
        if kernel.halted {
            return true;
        }
        let parent = kernel.current;
        let clock = kernel.me().clock.clone();
        kernel.me().clock.tick(parent);
        kernel.add_task(id, key, Some(parent), clock);
        false
    });
    if !over {
        start(body, location);
    }
    id
}

/// Gives the task that the kernel was told of last its coroutine.
fn start(body: Box<dyn FnOnce()>, location: &'static Location<'static>) {
    let task = Box::new(move || {
        resume();
        run::with(|run| run.record(Item::Began, location));
        body();
        finish(location);
    });
    match with(|kernel| kernel.coroutines) {
        Coroutines::Fiber => fiber::spawn(task),
        Coroutines::Shuttle => shuttle::spawn(task, location),
    }
}

/// Lets another task go on, as the kernel has decided; returns when this one is chosen again.
fn switch() {
    match with(|kernel| kernel.coroutines) {
        Coroutines::Fiber => fiber::switch(),
        Coroutines::Shuttle => shuttle::switch(),
    }
}

fn finish(location: &'static Location<'static>) {
    run::with(|run| run.record(Item::Ended, location));
    with(Kernel::finish_current);
}

/// Returns when the task has finished; what it did happened before.
pub(crate) fn join(task: TaskId, location: &'static Location<'static>) {
    if enter(Op { kind: OpKind::Join, object: ObjectId::NONE, location }, Need::End(task)) {
        with(|kernel| {
            let clock = kernel.tasks[task.index()].clock.clone();
            kernel.me().clock.join(&clock);
        });
    }
}

/// Whether the task has finished.
pub(crate) fn is_finished(task: TaskId) -> bool {
    with(|kernel| kernel.halted || kernel.tasks[task.index()].status == kernel::Status::Finished)
}

/// Sleepers overtake ready tasks by no more than `drift_ns` in all until the bound that this returns is given back.
pub(crate) fn bound_drift(drift_ns: u64) -> u64 {
    with(|kernel| kernel.bound_drift(drift_ns))
}

/// Gives back the bound of [`bound_drift`].
pub(crate) fn restore_drift(drift_ns: u64) {
    with(|kernel| kernel.bounds.drift_ns = drift_ns);
}

/// Virtual time.
pub(crate) fn now_ns() -> u64 {
    with(|kernel| kernel.now_ns)
}
