//! Threads of the component: spawn, join, yield, park, sleep.
//!
//! A run ends when every task has finished, joined or not: a task that is left waiting is a finding, not something that
//! the end of the program sweeps away.

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::engine::{self, Arm, Stamp, loom as loom_engine, sched, threads};
use crate::op::{ObjectId, Op, OpKind, TaskId};
use crate::panics;
use crate::run::{self, RunNumber};
use crate::sync::{Condvar, Mutex};
use crate::time::Instant;

pub use crate::time::sleep;

/// Starts a task.
#[track_caller]
pub fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(body)
}

/// Lets other tasks go first.
#[track_caller]
pub fn yield_now() {
    let location = Location::caller();
    match engine::arm() {
        Arm::Std | Arm::Threads => std::thread::yield_now(),
        Arm::Loom => {
            loom_engine::may_wait();
            loom::thread::yield_now();
        }
        Arm::Sched => sched::yield_now(location),
    }
    engine::after(OpKind::Yield, ObjectId::NONE, location);
}

/// Makes a task with a name.
#[derive(Debug, Default)]
pub struct Builder {
    name: Option<String>,
}

impl Builder {
    /// A task without a name.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Names the task: its column in tables, and its word in reports.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Starts the task.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(self, body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let location = Location::caller();
        let name = self.name;
        let result = Arc::new(std::sync::Mutex::new(None));
        let store = Arc::clone(&result);
        let thread = Thread::new(name.clone());
        let own = thread.clone();
        let task = move || {
            let outcome = panics::guarded(move || CURRENT.with_own(own, body));
            *store.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
        };
        let os = match engine::arm() {
            Arm::Sched => Os::Sched(sched::spawn(name, Box::new(task), location)),
            Arm::Loom => {
                let (id, handle) = loom_engine::spawn(name, Box::new(task), location);
                Os::Loom(id, Some(handle))
            }
            Arm::Threads => Os::Std(threads::spawn(name, Box::new(task), location).1, Arm::Threads),
            Arm::Std => Os::Std(Some(std::thread::spawn(task)), Arm::Std),
        };
        engine::after(OpKind::Spawn, ObjectId::NONE, location);
        JoinHandle { os, result, thread, stamp: Stamp::new("thread") }
    }
}

enum Os {
    Sched(TaskId),
    Loom(TaskId, Option<loom::thread::JoinHandle<()>>),
    Std(Option<std::thread::JoinHandle<()>>, Arm),
}

/// Waits for a task and has its result.
pub struct JoinHandle<T> {
    os: Os,
    result: Arc<std::sync::Mutex<Option<T>>>,
    thread: Thread,
    stamp: Stamp,
}

impl<T> JoinHandle<T> {
    /// Waits until the task has finished. There is no `Result`: a panic in a task ends the run.
    ///
    /// # Panics
    /// Outside any run, if the task panicked.
    #[track_caller]
    pub fn join(mut self) -> T {
        let location = Location::caller();
        let admitted = self.stamp.admits(location);
        match &mut self.os {
            Os::Sched(task) if admitted => sched::join(*task, location),
            Os::Sched(_) => {}
            Os::Loom(task, handle) => {
                loom_engine::may_wait();
                let op = Op { kind: OpKind::Join, object: ObjectId::NONE, location };
                loom_engine::asks(op, loom_engine::Need::End(*task));
                if let Some(handle) = handle.take() {
                    // The thread's own panic ended the exploration.
                    let _ = handle.join();
                }
            }
            Os::Std(handle, _) => {
                if let Some(handle) = handle.take() {
                    // The thread caught its own panic.
                    let _ = handle.join();
                }
            }
        }
        engine::after(OpKind::Join, ObjectId::NONE, location);
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner).take();
        match result {
            Some(result) => result,
            None if std::thread::panicking() => panics::stuck_while_unwinding("joins a task"),
            None => panic!("the joined thread panicked"),
        }
    }

    /// Whether the task has finished; no scheduling point.
    pub fn is_finished(&self) -> bool {
        match &self.os {
            Os::Sched(task) => !self.stamp.is_current() || sched::is_finished(*task),
            Os::Loom(..) | Os::Std(..) => self.result.lock().unwrap_or_else(PoisonError::into_inner).is_some(),
        }
    }

    /// The task itself, to unpark it.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        match &mut self.os {
            Os::Sched(_) | Os::Std(None, _) | Os::Loom(_, None) | Os::Std(_, Arm::Std) => {}
            Os::Loom(_, handle) => {
                if let Some(handle) = handle.take() {
                    loom_engine::leave(handle);
                }
            }
            Os::Std(handle, _) => {
                if let Some(handle) = handle.take() {
                    threads::leave(handle);
                }
            }
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("thread", &self.thread).finish_non_exhaustive()
    }
}

/// The permit of a task: one unpark is kept until the next park.
struct Park {
    permit: Mutex<bool>,
    given: Condvar,
}

/// A handle to a task.
#[derive(Clone)]
pub struct Thread(Arc<Handle>);

struct Handle {
    name: Option<String>,
    /// Made with the task, so that whoever asks first changes nothing.
    park: Park,
}

impl Thread {
    #[track_caller]
    fn new(name: Option<String>) -> Thread {
        let park = Park { permit: Mutex::named("park", false), given: Condvar::named("park.given") };
        Thread(Arc::new(Handle { name, park }))
    }

    /// Its name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Lets the task's next, or present, [`park`] return.
    #[track_caller]
    pub fn unpark(&self) {
        *self.0.park.permit.lock() = true;
        self.0.park.given.notify_one();
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// The handle of the task that asks, kept by task, since the tasks of a run may share one OS thread.
struct Current;

const CURRENT: Current = Current;

type Known = Vec<((RunNumber, TaskId), Thread)>;

thread_local! {
    static KNOWN: std::cell::RefCell<Known> = const { std::cell::RefCell::new(Vec::new()) };
}

impl Current {
    fn id(self) -> (RunNumber, TaskId) {
        let task = match engine::arm() {
            Arm::Std | Arm::Threads => TaskId::MAIN,
            Arm::Sched | Arm::Loom => engine::current_task(),
        };
        (run::number(), task)
    }

    fn with_own<R>(self, own: Thread, body: impl FnOnce() -> R) -> R {
        let id = self.id();
        KNOWN.with_borrow_mut(|known| known.push((id, own)));
        let result = body();
        KNOWN.with_borrow_mut(|known| {
            if let Some(place) = known.iter().rposition(|(task, _)| *task == id) {
                known.swap_remove(place);
            }
        });
        result
    }
}

/// Forgets the handles of a run that is over.
pub(crate) fn forget_handles() {
    KNOWN.take();
}

/// The task that asks.
pub fn current() -> Thread {
    let id = CURRENT.id();
    let known = KNOWN.with_borrow(|known| known.iter().find(|(task, _)| *task == id).map(|(_, own)| own.clone()));
    known.unwrap_or_else(|| {
        // The body of the run has no builder that made its handle: it is made when first asked for.
        let own = Thread::new(Some("main".to_owned()));
        KNOWN.with_borrow_mut(|known| known.push((id, own.clone())));
        own
    })
}

/// Waits for this task's permit, and takes it.
#[track_caller]
pub fn park() {
    let current = current();
    let park = &current.0.park;
    let mut permit = park.permit.lock();
    while !*permit {
        permit = park.given.wait(permit);
    }
    *permit = false;
}

/// Waits for this task's permit for at most `timeout` of virtual time.
#[track_caller]
pub fn park_timeout(timeout: Duration) {
    let current = current();
    let park = &current.0.park;
    let deadline = Instant::now() + timeout;
    let mut permit = park.permit.lock();
    while !*permit {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        permit = park.given.wait_timeout(permit, left).0;
    }
    *permit = false;
}
