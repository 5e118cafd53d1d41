//! Tools of the harness that have no counterpart upstream: a lock that is not a scheduling point, tasks to wait for, a
//! listener that is bound before any client connects, a server that returns with its host, a future whose waits block,
//! waits with a time limit, and `Debug` of some fields.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use lastref::net::{Host, Task, TcpListener};
use lastref::sync;
use lastref::time::{Duration, Instant, sleep};

/// A lock that is not a scheduling point, for state of the experiment. It must not order accesses of the component.
#[derive(Debug, Default)]
pub(crate) struct Unscheduled<T>(Mutex<T>);

impl<T> Unscheduled<T> {
    pub(crate) const fn new(value: T) -> Unscheduled<T> {
        Unscheduled(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Default> Unscheduled<T> {
    pub(crate) fn take(&self) -> T {
        std::mem::take(&mut *self.lock())
    }
}

/// Tasks that a run has yet to wait for. Not a scheduling point, like [`Unscheduled`].
#[derive(Debug, Default)]
pub(crate) struct Tasks(Unscheduled<Vec<Task<()>>>);

impl Tasks {
    pub(crate) fn push(&self, task: Task<()>) {
        self.0.lock().push(task);
    }

    /// Waits for their ends.
    pub(crate) fn join(&self) {
        join_all(self.0.take());
    }

    /// Ends them, and waits for their ends.
    pub(crate) fn end(&self) {
        // Taken first: `abort` wakes the task, and a waker must not run under the lock.
        let tasks = self.0.take();
        tasks.iter().for_each(Task::abort);
        join_all(tasks);
    }
}

fn join_all(tasks: Vec<Task<()>>) {
    for task in tasks {
        task.join();
    }
}

/// Binds a listener to this port of a host, before any client connects.
pub(crate) fn bind(host: Host, port: u16) -> TcpListener {
    match host.block_on(TcpListener::bind(host.address(port))) {
        Ok(listener) => listener,
        Err(_) => lastref::bug!("another socket has port {port} of {}", host.name()),
    }
}

/// Runs a server on a host, and a new one after each restart of the host, also by `Network::heal`: the future of
/// `serve`, with a listener at this port. The first listener is bound before any client connects. A later one is bound
/// when the tasks of the crashed host have ended; if a connection still holds the port then, the host has no server
/// until its next restart.
pub(crate) fn install<F>(host: Host, port: u16, serve: impl Fn(TcpListener) -> F + Clone + Send + Sync + 'static)
where
    F: Future<Output = ()> + Send,
{
    let first = Unscheduled::new(Some(bind(host, port)));
    host.software("accept", move || {
        let (first, serve) = (first.take(), serve.clone());
        async move {
            let listener = match first {
                Some(listener) => Ok(listener),
                None => TcpListener::bind(host.address(port)).await,
            };
            match listener {
                Ok(listener) => serve(listener).await,
                Err(error) => lastref::note!("no server on port {port}: {error}"),
            }
        }
    });
}

/// Runs a future whose waits block the thread. In memory nothing would poll it again, so it must not return `Pending`.
pub(crate) fn poll_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => lastref::bug!("a future returned Pending, and nothing would poll it again"),
    }
}

/// Waits for a notification, up to the deadline if there is one; `Err` once it has passed.
#[track_caller]
pub(crate) fn wait_until<'a, T>(
    condvar: &sync::Condvar,
    guard: sync::MutexGuard<'a, T>,
    deadline: Option<Instant>,
) -> Result<sync::MutexGuard<'a, T>, sync::MutexGuard<'a, T>> {
    let Some(deadline) = deadline else { return Ok(condvar.wait(guard)) };
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(guard),
        left => Ok(condvar.wait_timeout(guard, left).0),
    }
}

/// Waits until the condition holds, at most for `most`; checks it every `glance`. Returns false if the time has passed
/// and the condition does not hold.
pub(crate) fn holds_within(most: Duration, glance: Duration, condition: impl Fn() -> bool) -> bool {
    let end = Instant::now() + most;
    while !condition() {
        if Instant::now() >= end {
            return false;
        }
        sleep(glance);
    }
    true
}

/// `Debug` of a type by some of its fields.
macro_rules! impl_debug {
    ($type:ident $(<$lifetime:lifetime>)? { $($field:ident),* }) => {
        impl std::fmt::Debug for $type$(<$lifetime>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($type))$(.field(stringify!($field), &self.$field))*.finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use impl_debug;
