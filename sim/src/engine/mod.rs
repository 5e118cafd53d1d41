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

use kernel::record::{ObjectId, Op, OpKind};

use crate::session::{self, Backend, arm};

pub use list::{Engine, UnknownEngine};
pub(crate) use object::{Object, Stamp};

/// Records a completed operation, under the engines that have their own primitives.
pub(crate) fn after(kind: OpKind, object: ObjectId, location: &'static Location<'static>) {
    match arm() {
        Backend::Loom => loom::observe(Op { kind, object, location }),
        Backend::Threads => threads::observe(Op { kind, object, location }),
        Backend::Std | Backend::Sched => {}
    }
}

/// The scheduling point of a ledger call. It adds no ordering: no clock is joined, no lock is taken.
pub(crate) fn custody_point(kind: OpKind, object: ObjectId, location: &'static Location<'static>) {
    let op = Op { kind, object, location };
    match session::kernel() {
        Some(kernel) => kernel.point(op),
        None => match arm() {
            Backend::Loom => loom::probe(op),
            Backend::Threads => threads::observe(op),
            Backend::Std | Backend::Sched => {}
        },
    }
}

/// Registers a ledger resource with the engine, which then observes the resource's operations.
pub(crate) fn custody_form(object: ObjectId) {
    if arm() == Backend::Loom {
        loom::new_probe(object);
    }
}
