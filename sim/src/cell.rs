//! A plain cell whose unsynchronised use is reported.

use std::fmt;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

use crate::engine::{self, Arm, loom as loom_engine, sched};
use crate::op::{ObjectId, OpKind};

/// Memory that nothing guards: what in C is a field, written and read without a lock.
///
/// Two accesses of which one writes and which nothing orders are a data race: under loom by loom's own cell, under the
/// scheduled engine by vector clocks, so that the race is found in every schedule in which both happen and not only
/// where a value comes out wrong. Under `threads` no race is reported.
pub struct RaceCell<T> {
    object: ObjectId,
    value: Mutex<T>,
}

impl<T> RaceCell<T> {
    /// Holds `value`.
    pub fn new(value: T) -> RaceCell<T> {
        RaceCell::named("cell", value)
    }

    /// Holds `value`; a race on it is called by `name`.
    pub fn named(name: &'static str, value: T) -> RaceCell<T> {
        let object = engine::object(name);
        if engine::arm() == Arm::Loom {
            loom_engine::new_cell(object);
        }
        RaceCell { object, value: Mutex::new(value) }
    }

    /// Reads. The closure must not touch the facade.
    #[track_caller]
    pub fn with<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        self.access(OpKind::CellRead, Location::caller(), |value| read(value))
    }

    /// Writes. The closure must not touch the facade.
    #[track_caller]
    pub fn with_mut<R>(&self, write: impl FnOnce(&mut T) -> R) -> R {
        self.access(OpKind::CellWrite, Location::caller(), write)
    }

    /// Reads a copy.
    #[track_caller]
    pub fn get(&self) -> T
    where
        T: Copy,
    {
        self.access(OpKind::CellRead, Location::caller(), |value| *value)
    }

    /// Writes `value`.
    #[track_caller]
    pub fn set(&self, value: T) {
        self.access(OpKind::CellWrite, Location::caller(), |place| *place = value);
    }

    fn access<R>(&self, kind: OpKind, location: &'static Location<'static>, body: impl FnOnce(&mut T) -> R) -> R {
        match engine::arm() {
            // Made outside any run: plain memory, wherever it is used.
            _ if self.object == ObjectId::NONE => {}
            Arm::Sched => sched::cell_access(self.object, kind, location),
            Arm::Loom => loom_engine::cell_access(self.object, kind),
            Arm::Std | Arm::Threads => {}
        }
        engine::after(kind, self.object, location);
        body(&mut self.value.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T> fmt::Debug for RaceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The value is not shown: looking at it would be an access.
        f.debug_struct("RaceCell").field("object", &self.object).finish_non_exhaustive()
    }
}
