//! The scheduled engines: the kernel decides every step, coroutines switch.
//!
//! Coroutines only provide stacks and switches: ours in [`fiber`], and in [`shuttle`] a second implementation, to
//! check the first. shuttle's own primitives are not used. They have no announced operations, no timeouts, no
//! orderings weaker than sequential consistency and no counted references, all of which this harness needs.

mod alarm;
mod clock;
mod execution;
mod fiber;
mod kernel;
mod objects;
mod shuttle;
mod sync;
mod tasks;
#[cfg(test)]
mod tests;
mod token;

use std::cell::{Cell, RefCell};
use std::panic::Location;

pub(crate) use alarm::{await_alarm, set_alarm, start_alarm};
pub(crate) use execution::{Begin, Coroutines, Ended, Setup, execute};
pub(crate) use kernel::{Bounds, Task};
use kernel::{Go, Kernel, Need, Next};
pub(crate) use sync::{
    LockMode, Notify, Waited, atomic_exchange, atomic_load, atomic_rmw, atomic_store, cell_access, count_down, fence,
    lock, notify, notify_late, try_lock, unlock, wait, wait_until,
};
pub(crate) use tasks::TaskSet;

pub(crate) use token::{give_token, take_token, try_take_token};

use crate::op::{ObjectId, Op, OpKind, TaskId};
use crate::panics;
use crate::run::Run;
use crate::trace::Item;

thread_local! {
    /// The kernel of the run that this OS thread makes now.
    static KERNEL: Cell<Option<&'static RefCell<Kernel>>> = const { Cell::new(None) };
}

#[inline]
fn with<R>(f: impl FnOnce(&mut Kernel) -> R) -> R {
    match KERNEL.get() {
        Some(kernel) => f(&mut kernel.borrow_mut()),
        None => unreachable!("invariant: the scheduled arm is entered with a kernel"),
    }
}

/// Calls `f` with the results of the run so far.
#[inline]
pub(crate) fn with_run<R>(f: impl FnOnce(&mut Run) -> R) -> R {
    with(|kernel| f(&mut kernel.run))
}

pub(crate) fn new_object(label: &'static str) -> ObjectId {
    with(|kernel| {
        let object = kernel.run.add_object(label);
        kernel.objects.add(object);
        object
    })
}

impl Kernel {
    /// Tells the run which task continues, at which step and time.
    #[inline]
    fn resume(&mut self) {
        self.run.resumes(self.current, self.steps, self.now_ns);
    }

    /// The current task performs `op`, as decided.
    #[inline]
    fn operate(&mut self, op: Op) {
        self.resume();
        self.run.operated(op);
    }
}

/// Announces `op`, lets the strategy decide, and returns the result of `effect` when the task may perform it. `None`:
/// the run is over, and nothing was done.
///
/// A destructor that runs while a panic unwinds must not switch, since every task would see the panic: its operation
/// happens at once, as part of the previous step. A destructor that would have to wait cannot continue.
#[inline]
fn enter<R>(op: Op, need: Need, effect: impl FnOnce(&mut Kernel) -> R) -> Option<R> {
    let unwinds = std::thread::panicking();
    let mut effect = Some(effect);
    let mut op = op;
    let entered = with(|kernel| {
        op.location = kernel.run.placed(op.location);
        let go = if unwinds { kernel.pass(op, need) } else { kernel.arrive(op, need) };
        if go == Go::Stay {
            kernel.operate(op);
            return Ok(effect.take().map(|effect| effect(kernel)));
        }
        Err((go, kernel.leave()))
    });
    match entered {
        Ok(done) => return done,
        Err((Go::Over, _)) => return None,
        Err((Go::Stuck, _)) => panics::stuck_while_unwinding(&format!("waits ({})", op.kind)),
        Err((Go::Stay | Go::Switch, way)) => switch(way),
    }
    with(|kernel| {
        kernel.operate(op);
        effect.take().map(|effect| effect(kernel))
    })
}

/// The current task must wait: another task runs, until this one is chosen again.
fn give_way(on: ObjectId, location: &'static Location<'static>) {
    if std::thread::panicking() {
        panics::stuck_while_unwinding("waits");
    }
    let way = with(|kernel| {
        kernel.run.record(Item::Blocked { on }, location);
        (kernel.go() != Go::Stay).then(|| kernel.leave())
    });
    if let Some(way) = way {
        switch(way);
    }
    with(Kernel::resume);
}

pub(crate) fn point(op: Op) {
    enter(op, Need::Nothing, |_| ());
}

/// Ends the run at this very place; the task is not resumed.
pub(crate) fn stop_here() {
    let way = with(|kernel| {
        let over = std::mem::replace(&mut kernel.halted, true);
        kernel.pending = Some(Next::Halt);
        (!over).then(|| kernel.leave())
    });
    if let Some(way) = way {
        switch(way);
    }
}

pub(crate) fn yield_now(location: &'static Location<'static>) {
    with(Kernel::yields);
    point(Op { kind: OpKind::Yield, object: ObjectId::NONE, location });
}

pub(crate) fn sleep_ns(duration_ns: u64, location: &'static Location<'static>) {
    // A destructor does not sleep while a panic unwinds its task: no other task could run meanwhile.
    if std::thread::panicking() {
        return;
    }
    let op = Op { kind: OpKind::Sleep, object: ObjectId::NONE, location };
    let sleeps = |kernel: &mut Kernel| kernel.sleep_until(kernel.now_ns.saturating_add(duration_ns));
    if enter(op, Need::Nothing, sleeps).is_none() {
        return;
    }
    give_way(ObjectId::NONE, location);
    with(|kernel| {
        kernel.me().timed_out = false;
        kernel.run.record(Item::TimedOut, location);
    });
}

/// Starts a task that runs `body`. A scheduling point, except within a poll: a poll may hold std locks, which its
/// executor takes around a spawn, and a switch would leave them held by a suspended task.
pub(crate) fn spawn(name: Option<String>, body: Box<dyn FnOnce()>, location: &'static Location<'static>) -> TaskId {
    let op = Op { kind: OpKind::Spawn, object: ObjectId::NONE, location };
    if with(|kernel| kernel.run.is_polling()) {
        with(|kernel| kernel.run.operated(op));
    } else {
        point(op);
    }
    let (id, is_over) = with(|kernel| {
        let (id, key) = kernel.run.spawned(name);
        if !kernel.halted {
            kernel.add_task(id, key, Some(kernel.current));
        }
        (id, kernel.halted)
    });
    if !is_over {
        start(body, location);
    }
    id
}

/// Gives the kernel's newest task its coroutine.
fn start(body: Box<dyn FnOnce()>, location: &'static Location<'static>) {
    match with(|kernel| kernel.coroutines) {
        Coroutines::Fiber => fiber::spawn(move || run_task(body, location)),
        Coroutines::Shuttle => shuttle::spawn(Box::new(move || run_task(body, location)), location),
    }
}

/// The code of a task on its own stack.
fn run_task(body: Box<dyn FnOnce()>, location: &'static Location<'static>) {
    with(|kernel| {
        kernel.resume();
        kernel.run.record(Item::Began, location);
    });
    body();
    finish(location);
}

/// How the current task switches to another.
enum Way {
    /// To this task; without one the kernel is asked.
    Fiber(Option<Next>),
    /// shuttle asks the kernel.
    Shuttle,
}

impl Kernel {
    #[inline]
    fn leave(&mut self) -> Way {
        match self.coroutines {
            Coroutines::Fiber => Way::Fiber(self.pending.take()),
            Coroutines::Shuttle => Way::Shuttle,
        }
    }
}

/// Switches to the task that the kernel has chosen; returns when this task is chosen again.
#[inline]
fn switch(way: Way) {
    match way {
        Way::Fiber(next) => fiber::switch(next),
        Way::Shuttle => shuttle::switch(),
    }
}

fn finish(location: &'static Location<'static>) {
    with(|kernel| {
        kernel.run.record(Item::Ended, location);
        kernel.finish_current();
    });
}

/// Returns when the task has finished; the task's operations happened before.
pub(crate) fn join(task: TaskId, location: &'static Location<'static>) {
    let op = Op { kind: OpKind::Join, object: ObjectId::NONE, location };
    enter(op, Need::End(task), |kernel| {
        if kernel.tracks {
            let clock = kernel.tasks[task.index()].clock.clone();
            kernel.me().clock.join(&clock);
        }
    });
}

/// Whether the task has finished.
pub(crate) fn is_finished(task: TaskId) -> bool {
    with(|kernel| kernel.halted || kernel.is_finished(task))
}

/// Limits the drift of sleepers to `drift_ns` from here on, until [`restore_drift`] gets the returned bound back.
pub(crate) fn bound_drift(drift_ns: u64) -> u64 {
    with(|kernel| kernel.bound_drift(drift_ns))
}

/// Restores the bound that [`bound_drift`] returned.
pub(crate) fn restore_drift(drift_ns: u64) {
    with(|kernel| kernel.bounds.drift_ns = drift_ns);
}

/// Virtual time.
pub(crate) fn now_ns() -> u64 {
    with(|kernel| kernel.now_ns)
}
