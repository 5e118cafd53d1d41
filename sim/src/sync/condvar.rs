//! `Condvar`.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use kernel::record::{Op, OpKind};
use kernel::sync::condvar::{Notify, Waited};

use super::mutex::{Inner, MutexGuard};
use crate::engine::{self, Object, loom as loom_engine, threads};
use crate::loom_or_std as loom;
use crate::session::{Backend, arm};
use crate::unpoisoned::clean;

/// A condition variable like [`std::sync::Condvar`]. The waiter that `notify_one` wakes is unspecified: the scheduled
/// engines draw one, loom wakes the one that has waited longest. There are no spurious wake-ups.
pub struct Condvar {
    object: Object,
    imp: Imp,
}

enum Imp {
    Std(std::sync::Condvar),
    Sched,
    Loom(loom::sync::Condvar),
}

/// The result of a timed wait: whether it timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Whether the wait ended by its timeout.
    pub fn timed_out(self) -> bool {
        self.0
    }
}

impl Default for Condvar {
    #[track_caller]
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("object", &self.object.id()).finish_non_exhaustive()
    }
}

impl Condvar {
    /// A condition variable without waiters.
    #[track_caller]
    pub fn new() -> Condvar {
        Condvar::named("condvar")
    }

    /// A condition variable that tables and deadlock reports call `name`.
    #[track_caller]
    pub fn named(name: &'static str) -> Condvar {
        let imp = match arm() {
            Backend::Std | Backend::Threads => Imp::Std(std::sync::Condvar::new()),
            Backend::Sched => Imp::Sched,
            Backend::Loom => Imp::Loom(loom::sync::Condvar::new()),
        };
        Condvar { object: Object::new(name), imp }
    }

    /// Releases the lock, waits for a notification, and takes the lock again.
    #[track_caller]
    pub fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let location = Location::caller();
        self.object.admits(location);
        guard.mutex.object.admits(location);
        guard.inner = match (&self.imp, guard.suspend()) {
            (Imp::Sched, storage) => {
                never_while_unwinding();
                drop(storage);
                if let Some(kernel) = self.object.kernel_if_current() {
                    kernel.wait(self.object.id(), guard.mutex.object.id(), None, location);
                }
                guard.mutex.retake()
            }
            (Imp::Std(condvar), Inner::Std(inner)) => Inner::Std(clean(condvar.wait(inner))),
            (Imp::Loom(condvar), Inner::Loom(inner)) => {
                loom_engine::may_wait();
                let op = Op { kind: OpKind::Wait, object: self.object.id(), location };
                loom_engine::record_wait(op, loom_engine::Need::Notification(guard.mutex.object.id()));
                Inner::Loom(clean(condvar.wait(inner)))
            }
            _ => mixed_engines(),
        };
        engine::after(OpKind::Wait, self.object.id(), location);
        guard
    }

    /// Like [`Condvar::wait`], for as long as `condition` holds.
    #[track_caller]
    pub fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            guard = self.wait(guard);
        }
        guard
    }

    /// Like [`Condvar::wait`], for at most `timeout` of virtual time. loom has no clock: there the wait releases the
    /// lock, lets other tasks run once, and times out.
    #[track_caller]
    pub fn wait_timeout<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> (MutexGuard<'a, T>, WaitTimeoutResult) {
        let location = Location::caller();
        self.object.admits(location);
        guard.mutex.object.admits(location);
        let timed_out = match (&self.imp, guard.suspend()) {
            (Imp::Sched, storage) => {
                never_while_unwinding();
                drop(storage);
                let timeout_ns = kernel::as_ns(timeout);
                let waited = self
                    .object
                    .kernel_if_current()
                    .map(|kernel| kernel.wait(self.object.id(), guard.mutex.object.id(), Some(timeout_ns), location));
                guard.inner = guard.mutex.retake();
                waited != Some(Waited::Notified)
            }
            (Imp::Std(condvar), Inner::Std(inner)) => {
                let timeout = if arm() == Backend::Threads { threads::wall(timeout) } else { timeout };
                let (inner, result) = clean(condvar.wait_timeout(inner, timeout));
                guard.inner = Inner::Std(inner);
                result.timed_out()
            }
            (Imp::Loom(_), Inner::Loom(inner)) => {
                drop(inner);
                loom_engine::pass_time(timeout);
                guard.inner = guard.mutex.retake();
                true
            }
            _ => mixed_engines(),
        };
        engine::after(OpKind::Wait, self.object.id(), location);
        (guard, WaitTimeoutResult(timed_out))
    }

    /// Wakes every present waiter and the next one, without the mutex. For a destructor that cannot take the mutex
    /// while a panic unwinds its task, under the scheduled engines.
    #[track_caller]
    pub(super) fn notify_late(&self) {
        if let Some(kernel) = self.object.kernel_if_current() {
            kernel.notify_late(self.object.id(), Location::caller());
        }
    }

    fn notify(&self, how: Notify, location: &'static Location<'static>) {
        if let Some(kernel) = self.object.kernel_if_current() {
            kernel.notify(self.object.id(), how, location);
        }
    }

    /// Wakes one waiter, if there is one.
    #[track_caller]
    pub fn notify_one(&self) {
        let location = Location::caller();
        self.object.admits(location);
        match &self.imp {
            Imp::Std(condvar) => condvar.notify_one(),
            Imp::Sched => self.notify(Notify::One, location),
            Imp::Loom(condvar) => {
                let _quiet = loom_engine::before_nonblocking_op();
                condvar.notify_one();
            }
        }
        engine::after(OpKind::NotifyOne, self.object.id(), location);
    }

    /// Wakes every waiter.
    #[track_caller]
    pub fn notify_all(&self) {
        let location = Location::caller();
        self.object.admits(location);
        match &self.imp {
            Imp::Std(condvar) => condvar.notify_all(),
            Imp::Sched => self.notify(Notify::All, location),
            Imp::Loom(condvar) => {
                let _quiet = loom_engine::before_nonblocking_op();
                condvar.notify_all();
            }
        }
        engine::after(OpKind::NotifyAll, self.object.id(), location);
    }
}

fn never_while_unwinding() {
    if std::thread::panicking() {
        crate::panics::stuck_while_unwinding("waits on a condition variable");
    }
}

fn mixed_engines() -> ! {
    unreachable!("invariant: a mutex and a condition variable of different engines were used together")
}
