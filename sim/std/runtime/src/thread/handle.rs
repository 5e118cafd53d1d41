//! Handles to threads: names, numbers, and the permit by which they park.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::thread as real;

use lastref_kernel::record::{ObjectId, TaskId};

use crate::run::{Run, current as current_run};

/// A thread of a run.
pub(crate) struct SimulatedThread {
    pub(crate) task: TaskId,
    pub(crate) name: Option<String>,
    /// The kernel's object on which it parks.
    pub(crate) parker: ObjectId,
}

#[derive(Clone)]
enum Kind {
    Real(real::Thread),
    Simulated(Arc<SimulatedThread>),
}

#[derive(Clone)]
pub struct Thread(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Number {
    Real(real::ThreadId),
    Simulated(TaskId),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ThreadId(Number);

impl Thread {
    pub(crate) fn real(thread: real::Thread) -> Thread {
        Thread(Kind::Real(thread))
    }

    pub(crate) fn simulated(thread: Arc<SimulatedThread>) -> Thread {
        Thread(Kind::Simulated(thread))
    }

    pub fn id(&self) -> ThreadId {
        ThreadId(match &self.0 {
            Kind::Real(thread) => Number::Real(thread.id()),
            Kind::Simulated(thread) => Number::Simulated(thread.task),
        })
    }

    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Kind::Real(thread) => thread.name(),
            Kind::Simulated(thread) => thread.name.as_deref(),
        }
    }

    #[track_caller]
    pub fn unpark(&self) {
        match &self.0 {
            Kind::Real(thread) => thread.unpark(),
            Kind::Simulated(thread) => {
                let location = Location::caller();
                if let Some(run) = current_run() {
                    run.host(|| run.kernel.unpark(thread.parker, location));
                }
            }
        }
    }

    /// Its parker, if it is a thread of a run.
    pub(crate) fn parker(&self) -> Option<ObjectId> {
        match &self.0 {
            Kind::Real(_) => None,
            Kind::Simulated(thread) => Some(thread.parker),
        }
    }
}

impl Run {
    /// The thread of the current task; `None` while the task ends.
    pub(crate) fn thread(&'static self) -> Option<Arc<SimulatedThread>> {
        let task = self.host(|| self.task());
        let thread = self.host(|| self.tasks.borrow_mut().of(task).thread);
        if thread.is_null() {
            return None;
        }
        // SAFETY: the pointer came from `Arc::into_raw`, and the task keeps that reference until it ends; see
        // `spawn::end`. The count is raised for the reference that is returned.
        unsafe {
            Arc::increment_strong_count(thread);
            Some(Arc::from_raw(thread))
        }
    }
}

pub fn current() -> Thread {
    match current_run() {
        None => Thread::real(real::current()),
        Some(run) => match run.thread() {
            Some(thread) => Thread::simulated(thread),
            None => {
                let (task, parker) = (run.host(|| run.task()), ObjectId::NONE);
                Thread::simulated(Arc::new(SimulatedThread { task, name: None, parker }))
            }
        },
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("id", &self.id()).field("name", &self.name()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Number::Real(id) => id.fmt(f),
            Number::Simulated(task) => write!(f, "ThreadId({})", task.0 + 1),
        }
    }
}
