//! A plain cell whose unsynchronised use is reported.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;

use kernel::record::{OpKind, TaskId, Violation, ViolationKind, Void};
use parking_lot::ReentrantMutex;
use smallvec::SmallVec;

use crate::engine::{self, Object, loom as loom_engine};
use crate::session::{self, Backend, arm, current_task, with_log};

/// Plain memory without synchronisation, such as a field of a C struct.
///
/// Two accesses are a data race if at least one of them writes and happens-before does not order them. The scheduled
/// engines detect it by vector clocks, in every schedule that has both accesses, whatever the values. loom detects it
/// by its own cell. The engine `threads` reports no races.
///
/// The closure of an access may use the facade: reads nest, and other tasks may read while it runs. A write that
/// overlaps another task's access is a data race. A write inside an access of the same task ends the run as a misuse,
/// since Rust allows no such pair of references.
pub struct RaceCell<T> {
    object: Object,
    name: &'static str,
    /// A reentrant lock: the tasks of a run share one OS thread, and other OS threads are excluded.
    content: ReentrantMutex<Content<T>>,
}

struct Content<T> {
    value: RefCell<T>,
    /// The accesses in progress. Nested ones are rare.
    inside: RefCell<SmallVec<[Access; 1]>>,
}

#[derive(Clone, Copy, Debug)]
struct Access {
    task: TaskId,
    location: &'static Location<'static>,
}

impl<T> RaceCell<T> {
    /// A cell that contains `value`.
    #[track_caller]
    pub fn new(value: T) -> RaceCell<T> {
        RaceCell::named("cell", value)
    }

    /// A cell that contains `value`; reports and tables call it `name`.
    #[track_caller]
    pub fn named(name: &'static str, value: T) -> RaceCell<T> {
        let object = Object::new(name);
        if arm() == Backend::Loom {
            loom_engine::new_cell(object.id());
        }
        let content = Content { value: RefCell::new(value), inside: RefCell::default() };
        RaceCell { object, name, content: ReentrantMutex::new(content) }
    }

    /// Calls `read` with the value. Not a scheduling point.
    #[track_caller]
    pub fn with<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        let location = Location::caller();
        self.check(OpKind::CellRead, location);
        let content = self.content.lock();
        let Ok(value) = content.value.try_borrow() else { self.overlap(OpKind::CellRead, location, &content) };
        let _under_way = content.under_way(location);
        read(&value)
    }

    /// Calls `write` with the value. Not a scheduling point.
    #[track_caller]
    pub fn with_mut<R>(&self, write: impl FnOnce(&mut T) -> R) -> R {
        let location = Location::caller();
        self.check(OpKind::CellWrite, location);
        let content = self.content.lock();
        let Ok(mut value) = content.value.try_borrow_mut() else { self.overlap(OpKind::CellWrite, location, &content) };
        let _under_way = content.under_way(location);
        write(&mut value)
    }

    /// Reads a copy.
    #[track_caller]
    pub fn get(&self) -> T
    where
        T: Copy,
    {
        self.with(|value| *value)
    }

    /// Writes `value`.
    #[track_caller]
    pub fn set(&self, value: T) {
        self.with_mut(|place| *place = value);
    }

    /// Has the engine check the access.
    fn check(&self, kind: OpKind, location: &'static Location<'static>) {
        if let Some(kernel) = self.object.kernel_if_current() {
            if let Some(race) = kernel.cell_access(self.object.id(), kind, location) {
                session::fail(race);
            }
        } else if self.object.admits(location) && arm() == Backend::Loom {
            loom_engine::cell_access(self.object.id(), kind);
        }
        engine::after(kind, self.object.id(), location);
    }

    /// Ends the run: the access is excluded by another one that is in progress.
    #[cold]
    fn overlap(&self, kind: OpKind, location: &'static Location<'static>, content: &Content<T>) -> ! {
        let me = current_task();
        let others = content.inside.borrow().clone();
        let other = others.iter().find(|access| access.task != me).or(others.first());
        let place = other.map_or_else(|| String::from("another place"), |access| access.location.to_string());
        let name = self.name;
        if other.is_none_or(|access| access.task == me) {
            let text = format!(
                "{kind} of `{name}` at {location} inside the closure of the same task's access at {place}: take what is \
                 needed out of the closure first"
            );
            session::void(Void::Misuse(text.clone()));
            // Outside any run, or in one that cannot end since a panic unwinds this task.
            panic!("{text}");
        }
        let message = format!("{kind} of {name} while an access of another task is under way");
        session::fail(
            Violation::about(ViolationKind::DataRace, name, message.clone())
                .fact("under way", place)
                .fact("here", with_log(|log| log.here(location)).unwrap_or_default()),
        );
        panic!("{message}");
    }
}

impl<T> Content<T> {
    /// Registers the access as in progress, until the result is dropped.
    fn under_way(&self, location: &'static Location<'static>) -> Inside<'_> {
        let task = current_task();
        self.inside.borrow_mut().push(Access { task, location });
        Inside { inside: &self.inside, task }
    }
}

/// An access in progress.
struct Inside<'a> {
    inside: &'a RefCell<SmallVec<[Access; 1]>>,
    task: TaskId,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut inside = self.inside.borrow_mut();
        // The accesses of a task nest, so this one is the task's last.
        if let Some(place) = inside.iter().rposition(|access| access.task == self.task) {
            inside.remove(place);
        }
    }
}

impl<T> fmt::Debug for RaceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The value is not shown: reading it would be an access.
        f.debug_struct("RaceCell").field("object", &self.object.id()).finish_non_exhaustive()
    }
}
