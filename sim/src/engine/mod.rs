//! The engines below the facade, and the few calls by which the facade reaches them.
//!
//! A facade type selects its implementation when it is created, by the session that is current on the OS thread.
//! Outside any session the facade is plain std: a component written against it works in production unchanged.

mod list;
pub(crate) mod loom;
mod object;
pub(crate) mod overflow;
pub(crate) mod scheduled;
#[cfg(feature = "shuttle")]
mod shuttle;
#[cfg(test)]
mod tests;
pub(crate) mod threads;

use std::panic::Location;

use kernel::record::{ObjectId, Op, OpKind, Violation, Void};

use crate::session::{self, arm, with_log};

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
    let op = Op { kind, object, location };
    match session::kernel() {
        Some(kernel) => kernel.point(op),
        None => match arm() {
            Arm::Loom => loom::probe(op),
            Arm::Threads => threads::observe(op),
            Arm::Std | Arm::Sched => {}
        },
    }
}

/// Gives a ledger resource the object by which the engine observes its operations.
pub(crate) fn custody_form(object: ObjectId) {
    if arm() == Arm::Loom {
        loom::new_probe(object);
    }
}

/// Ends the run with this finding. In a task of a run it does not return, except while a panic already unwinds the
/// task: then the panic continues and the first finding stands.
pub(crate) fn fail(violation: Violation) {
    if with_log(|log| log.note_violation(violation)).is_some() {
        stop();
    }
}

/// Ends the run as invalid. It returns where [`fail`] does.
pub(crate) fn void(void: Void) {
    if with_log(|log| log.note_void(void)).is_some() {
        stop();
    }
}

/// Ends the run as a misuse by the user.
pub(crate) fn misused(text: &str) -> ! {
    void(Void::Misuse(text.to_owned()));
    panic!("{text}")
}

fn stop() {
    if std::thread::panicking() {
        return;
    }
    match session::kernel() {
        Some(kernel) => kernel.stop_here(),
        None => session::report_and_park(),
    }
}
