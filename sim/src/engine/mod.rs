//! Which engine runs this OS thread, and the few calls by which the facade reaches it.
//!
//! The facade types select their arm when they are constructed, from the engine current on this thread. Outside any run
//! there is none, and the facade is plain std: a component written against it works in production unchanged.

pub(crate) mod blocked;
mod list;
pub(crate) mod loom;
mod object;
pub(crate) mod overflow;
pub(crate) mod sched;
pub(crate) mod spin;
pub(crate) mod threads;

use std::cell::Cell;
use std::panic::Location;

use crate::op::{ObjectId, Op, OpKind, TaskId, TaskKey};
use crate::run;
use crate::violation::Violation;
use crate::void::Void;

pub use list::{Engine, UnknownEngine};
pub(crate) use object::{Object, Stamp};

/// The implementation that facade types select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arm {
    /// No run: plain std, nothing observed.
    Std,
    /// Our kernel schedules; coroutines switch.
    Sched,
    /// loom schedules.
    Loom,
    /// The operating system schedules; calls are observed.
    Threads,
}

thread_local! {
    static ARM: Cell<Arm> = const { Cell::new(Arm::Std) };
}

pub(crate) fn arm() -> Arm {
    ARM.get()
}

/// Makes `arm` current on this OS thread until the guard is dropped.
pub(crate) fn enter(arm: Arm) -> Entered {
    Entered(ARM.replace(arm))
}

#[derive(Debug)]
pub(crate) struct Entered(Arm);

impl Drop for Entered {
    fn drop(&mut self) {
        ARM.set(self.0);
    }
}

/// A scheduling point of an operation that never blocks, announced before and recorded as it happens.
pub(crate) fn point(kind: OpKind, object: ObjectId, location: &'static Location<'static>) {
    match arm() {
        Arm::Std => {}
        Arm::Sched => sched::point(Op { kind, object, location }),
        // loom branches inside its own operation, which follows; `after` records it.
        Arm::Loom | Arm::Threads => {}
    }
}

/// Records an operation of the engines with primitives of their own, once it has happened.
pub(crate) fn after(kind: OpKind, object: ObjectId, location: &'static Location<'static>) {
    match arm() {
        Arm::Loom => loom::observe(Op { kind, object, location }),
        Arm::Threads => threads::observe(Op { kind, object, location }),
        Arm::Std | Arm::Sched => {}
    }
}

/// The scheduling point of a ledger call. It adds no ordering: no clock is joined, no lock is taken.
pub(crate) fn custody_point(kind: OpKind, object: ObjectId, location: &'static Location<'static>) {
    match arm() {
        Arm::Std => {}
        Arm::Sched => sched::point(Op { kind, object, location }),
        Arm::Loom => loom::probe(Op { kind, object, location }),
        Arm::Threads => threads::observe(Op { kind, object, location }),
    }
}

/// Gives a ledger resource the object by which the engine observes its operations.
pub(crate) fn custody_form(object: ObjectId) {
    if arm() == Arm::Loom {
        loom::new_probe(object);
    }
}

/// The task whose code runs on this OS thread.
pub(crate) fn current_task() -> TaskId {
    run::with(|run| run.task).unwrap_or(TaskId::MAIN)
}

/// Seed, task and the task's own count of draws, for [`crate::random`].
pub(crate) fn draw_key() -> (u64, TaskKey, u32) {
    run::with(|run| run.draw_key()).unwrap_or((0, TaskKey::MAIN, 0))
}

/// Ends the run with this finding. In a task of a run it does not return, except while a panic already unwinds the
/// task: then the panic continues and the first finding stands.
pub(crate) fn fail(violation: Violation) {
    if run::with(|run| run.note_violation(violation)).is_some() {
        stop();
    }
}

/// Ends the run as invalid. It returns where [`fail`] does.
pub(crate) fn void(void: Void) {
    if run::with(|run| run.note_void(void)).is_some() {
        stop();
    }
}

fn stop() {
    if std::thread::panicking() {
        return;
    }
    match arm() {
        Arm::Std => {}
        Arm::Sched => sched::stop_here(),
        Arm::Loom | Arm::Threads => run::report_and_park(),
    }
}
