//! Threads of the component: spawn, join, yield, park, sleep.
//!
//! A run ends when every task has finished, joined or not. A task that waits forever is a finding, even if no other
//! task joins it.

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernel::record::{ObjectId, Op, OpKind, TaskId};
use kernel::{Kernel, Turn};

use crate::engine::loom::Handle;
use crate::engine::{self, Object, Stamp, loom as loom_engine, threads};
use crate::loom_or_std as loom;
use crate::panics;
use crate::session::{self, Backend, arm};
use crate::sync::Storage;
use crate::time::Instant;
use crate::unpoisoned::locked;

pub use crate::time::sleep;

/// Starts a task.
#[track_caller]
pub fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().spawn(body)
}

/// Lets other tasks run first.
#[track_caller]
pub fn yield_now() {
    let location = Location::caller();
    if let Some(kernel) = session::kernel() {
        return kernel.yield_now(location);
    }
    if arm() == Backend::Loom {
        loom_engine::may_wait();
        loom::thread::yield_now();
    } else {
        std::thread::yield_now();
    }
    engine::after(OpKind::Yield, ObjectId::NONE, location);
}

/// Configures a task, and starts it.
#[derive(Debug, Default)]
pub struct Builder {
    name: Option<String>,
}

impl Builder {
    /// A task without a name.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Sets the name of the task in tables and reports.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Starts the task.
    ///
    /// # Panics
    /// Outside any run, if the system cannot start a thread.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(self, body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let location = Location::caller();
        if let Some(kernel) = session::kernel() {
            let slot = Arc::new(Slot::Kernel(Storage::new(None)));
            let id = kernel.spawn(self.name.as_deref(), leaving(Arc::clone(&slot), body), location);
            return JoinHandle::of_kernel(kernel, id, slot);
        }
        let slot = Arc::new(Slot::Os(Mutex::new(None)));
        let body = Box::new(leaving(Arc::clone(&slot), body));
        let (os, thread) = start_thread(self.name, body, location);
        engine::after(OpKind::Spawn, ObjectId::NONE, location);
        JoinHandle { os, slot, thread }
    }

    /// Starts a task of the kernel that waits only between its turns.
    #[track_caller]
    pub(crate) fn spawn_turns(
        self,
        kernel: &'static Kernel,
        mut turn: impl FnMut() -> Turn + Send + 'static,
    ) -> JoinHandle<()> {
        let slot = Arc::new(Slot::Kernel(Storage::new(None)));
        let own = Arc::clone(&slot);
        // A panic ends the run, or the task if the run is over.
        let turns = move || {
            let turn = panics::guarded(&mut turn).unwrap_or(Turn::Ends);
            if turn == Turn::Ends {
                own.put(());
            }
            turn
        };
        let id = kernel.spawn_turns(self.name.as_deref(), turns, Location::caller());
        JoinHandle::of_kernel(kernel, id, slot)
    }
}

/// Starts a task that is not the kernel's. Not generic, so that it is compiled once, and not again for each body.
#[track_caller]
fn start_thread(
    name: Option<String>,
    body: Box<dyn FnOnce() + Send>,
    location: &'static Location<'static>,
) -> (Os, Thread) {
    match arm() {
        Backend::Loom => {
            let (id, handle) = loom_engine::spawn(name.as_deref(), body, location);
            let own = Handle::new(name.map(Arc::from));
            loom_engine::register(id, own.clone());
            (Os::Loom(id, Some(Box::new(handle))), Thread(Repr::Loom(own, Stamp::new("thread"))))
        }
        Backend::Threads => {
            let handle = threads::spawn(name.as_deref(), body, location);
            let thread = handle.as_ref().map_or_else(std::thread::current, |handle| handle.thread().clone());
            (Os::Threads(handle.map(Box::new)), Thread(Repr::Os(thread, Stamp::new("thread"))))
        }
        Backend::Std | Backend::Sched => {
            let handle = threads::start(name.as_deref(), body);
            let thread = Thread(Repr::Os(handle.thread().clone(), Stamp::new("thread")));
            (Os::Std(Some(Box::new(handle))), thread)
        }
    }
}

/// The slot for the result of a task.
enum Slot<T> {
    /// A task of the kernel, on the OS thread of its run.
    Kernel(Storage<Option<T>>),
    Os(Mutex<Option<T>>),
}

impl<T> Slot<T> {
    fn put(&self, result: T) {
        match self {
            Slot::Kernel(storage) => *storage.write().get_mut() = Some(result),
            Slot::Os(mutex) => *locked(mutex) = Some(result),
        }
    }
}

/// Runs a task's body and stores its result. If the handle was dropped, the result's destructor runs here, as code of
/// the task: its panic is a finding.
fn leaving<T: Send + 'static>(slot: Arc<Slot<T>>, body: impl FnOnce() -> T + Send) -> impl FnOnce() + Send {
    move || {
        panics::guarded(move || {
            slot.put(body());
            drop(slot);
        });
    }
}

/// The task of a handle. Handles of the kernel's tasks are moved in every run, and are small; the others are boxed.
enum Os {
    Kernel(TaskId),
    Loom(TaskId, Option<Box<loom::thread::JoinHandle<()>>>),
    Threads(Option<Box<std::thread::JoinHandle<()>>>),
    Std(Option<Box<std::thread::JoinHandle<()>>>),
}

/// A handle to a task that waits for its end and returns its result.
pub struct JoinHandle<T> {
    os: Os,
    slot: Arc<Slot<T>>,
    thread: Thread,
}

impl<T> JoinHandle<T> {
    #[track_caller]
    fn of_kernel(kernel: &'static Kernel, id: TaskId, slot: Arc<Slot<T>>) -> JoinHandle<T> {
        let (parker, name) = kernel.log(|log| {
            let task = &log.tasks[id.index()];
            (task.parker, task.is_named.then_some(task.name.text))
        });
        let parker = Object::again(parker, "thread");
        JoinHandle { os: Os::Kernel(id), slot, thread: Thread(Repr::Kernel(Parked { parker, name })) }
    }

    /// Waits until the task has finished. There is no `Result`: a panic in a task ends the run.
    ///
    /// # Panics
    /// Outside any run, if the task panicked.
    #[track_caller]
    pub fn join(mut self) -> T {
        let location = Location::caller();
        let admitted = self.thread.stamp().admits(location);
        match &mut self.os {
            Os::Kernel(task) => {
                if let Some(kernel) = session::kernel().filter(|_| admitted) {
                    kernel.join(*task, location);
                }
            }
            Os::Loom(task, handle) => {
                loom_engine::may_wait();
                let op = Op { kind: OpKind::Join, object: ObjectId::NONE, location };
                loom_engine::record_wait(op, loom_engine::Need::End(*task));
                if let Some(handle) = handle.take().filter(|_| admitted) {
                    // The thread's own panic ended the exploration.
                    let _ = handle.join();
                }
            }
            Os::Threads(handle) | Os::Std(handle) => {
                if let Some(handle) = handle.take() {
                    // The thread caught its own panic.
                    let _ = handle.join();
                }
            }
        }
        engine::after(OpKind::Join, ObjectId::NONE, location);
        let result = match &*self.slot {
            // A handle of another run may belong to another OS thread, so its result is not touched.
            Slot::Kernel(storage) if admitted => storage.write().get_mut().take(),
            Slot::Kernel(_) => None,
            Slot::Os(mutex) => locked(mutex).take(),
        };
        match result {
            Some(result) => result,
            None if std::thread::panicking() => panics::stuck_while_unwinding("joins a task"),
            None => panic!("the joined thread panicked"),
        }
    }

    /// Whether the task has finished. Not a scheduling point.
    pub fn is_finished(&self) -> bool {
        match &self.os {
            Os::Kernel(task) => {
                let kernel = session::kernel().filter(|_| self.thread.stamp().is_current());
                kernel.is_none_or(|kernel| kernel.is_finished(*task))
            }
            Os::Loom(..) | Os::Threads(_) | Os::Std(_) => {
                matches!(&*self.slot, Slot::Os(mutex) if locked(mutex).is_some())
            }
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
            Os::Kernel(task) => {
                // A result that was not taken is dropped next. As with std's handle, the task's end happened before.
                if let Some(kernel) = session::kernel().filter(|_| self.thread.stamp().is_current()) {
                    kernel.observe_end(*task);
                }
            }
            Os::Std(_) => {}
            Os::Loom(_, handle) => {
                // An execution that is over waits for no thread.
                if let Some(handle) = handle.take().filter(|_| self.thread.stamp().is_current()) {
                    loom_engine::leave(*handle);
                }
            }
            Os::Threads(handle) => {
                if let Some(handle) = handle.take() {
                    threads::leave(*handle);
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

/// A handle to a task.
#[derive(Clone)]
pub struct Thread(Repr);

#[derive(Clone)]
enum Repr {
    Kernel(Parked),
    Loom(Handle, Stamp),
    /// An OS thread.
    Os(std::thread::Thread, Stamp),
}

/// A task of the kernel.
#[derive(Clone, Copy)]
struct Parked {
    /// Created with the task, so that the first use changes nothing.
    parker: Object,
    name: Option<&'static str>,
}

impl Thread {
    fn stamp(&self) -> &Stamp {
        match &self.0 {
            Repr::Kernel(Parked { parker, .. }) => parker.stamp(),
            Repr::Loom(_, stamp) | Repr::Os(_, stamp) => stamp,
        }
    }

    /// Its name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        match &self.0 {
            Repr::Kernel(task) => task.name,
            Repr::Loom(handle, _) => handle.name.as_deref(),
            Repr::Os(thread, _) => thread.name(),
        }
    }

    /// Gives the task its permit, which lets its current or next [`park`] return. A second permit changes nothing.
    #[track_caller]
    pub fn unpark(&self) {
        let location = Location::caller();
        match &self.0 {
            Repr::Kernel(Parked { parker, .. }) => {
                if let Some(kernel) = parker.kernel(location) {
                    kernel.unpark(parker.id(), location);
                }
                return;
            }
            Repr::Loom(handle, stamp) => {
                if stamp.admits(location) {
                    handle.unpark();
                }
            }
            Repr::Os(thread, stamp) => {
                if stamp.admits(location) {
                    thread.unpark();
                }
            }
        }
        engine::after(OpKind::Unpark, ObjectId::NONE, location);
    }

    /// Like [`Thread::unpark`], for the waker of a future, which may outlive its run: it then does nothing.
    #[track_caller]
    pub(crate) fn wake(&self) {
        match &self.0 {
            // A thread outside any run may wait for an action of a run.
            Repr::Os(thread, stamp) if !stamp.is_current() => thread.unpark(),
            Repr::Loom(_, stamp) if !stamp.is_current() && !stamp.is_used_by_stranger() => {}
            _ => self.unpark(),
        }
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// The current task.
#[track_caller]
pub fn current() -> Thread {
    if let Some(kernel) = session::kernel() {
        let (id, name) = kernel.log(|log| {
            let task = log.current();
            (task.parker, task.is_named.then_some(task.name.text))
        });
        if id != ObjectId::NONE {
            return Thread(Repr::Kernel(Parked { parker: Object::again(id, "thread"), name }));
        }
        // No builder has created the parker of the first task, so its first use creates it.
        let parker = Object::new("park");
        kernel.log(|log| log.current().parker = parker.id());
        return Thread(Repr::Kernel(Parked { parker, name }));
    }
    if arm() == Backend::Loom {
        return Thread(Repr::Loom(loom_engine::current(), Stamp::new("thread")));
    }
    Thread(Repr::Os(std::thread::current(), Stamp::new("thread")))
}

/// Waits for this task's permit, and takes it.
#[track_caller]
pub fn park() {
    park_until(None, Location::caller());
}

/// Waits for this task's permit for at most `timeout` of virtual time.
#[track_caller]
pub fn park_timeout(timeout: Duration) {
    park_until(Some(timeout), Location::caller());
}

#[track_caller]
fn park_until(timeout: Option<Duration>, location: &'static Location<'static>) {
    if let Repr::Kernel(Parked { parker, .. }) = current().0 {
        let deadline = timeout.map(|timeout| (Instant::now() + timeout).as_ns());
        if let Some(kernel) = parker.kernel(location) {
            kernel.park(parker.id(), OpKind::Park, deadline, location);
        }
        return;
    }
    match arm() {
        Backend::Loom => loom_engine::current().park(timeout, location),
        Backend::Threads => really_park(timeout.map(threads::wall)),
        Backend::Std | Backend::Sched => really_park(timeout),
    }
    engine::after(OpKind::Park, ObjectId::NONE, location);
}

fn really_park(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => std::thread::park_timeout(timeout),
        None => std::thread::park(),
    }
}
