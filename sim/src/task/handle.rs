//! A task that runs a future. The task can be joined, awaited, and ended from outside.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::poll::{self, Parker};
use crate::session;
use crate::thread::{Builder, JoinHandle};
use crate::unpoisoned::locked;

/// A task that runs a future. Awaiting it returns its output, as joining does; dropping the handle lets the task
/// continue.
pub struct Task<T> {
    handle: JoinHandle<()>,
    life: Arc<TaskState>,
    output: Output<T>,
}

/// A task's result: its output, or none if it was ended early; empty after the result was taken.
type Output<T> = Arc<Mutex<Option<Option<T>>>>;

/// The shared state of a task, and the means to end it: its future is dropped the next time it is polled.
pub(crate) struct TaskState {
    /// `host/name`, or `future` for a task without a host; for reports.
    pub(crate) name: String,
    /// The network ends it instead of waiting for its end.
    #[cfg_attr(not(feature = "net"), expect(dead_code, reason = "for the network"))]
    pub(crate) is_daemon: bool,
    is_killed: AtomicBool,
    has_ended: AtomicBool,
    /// Outside any run: its future has panicked. In a run the panic ends the run.
    has_panicked: AtomicBool,
    /// Wakes the task itself, so that it sees that it was killed.
    waker: Mutex<Option<Waker>>,
    /// Wakers of the tasks that wait for its end.
    waiters: Mutex<Vec<Waker>>,
    /// Its permit is given at the task's end, so that the task's operations happened before those of a task that
    /// awaited it.
    end: Arc<Parker>,
}

/// Whether the network waits for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ordinary,
    Daemon,
}

impl TaskState {
    pub(crate) fn new(name: String, kind: Kind) -> Arc<TaskState> {
        Arc::new(TaskState {
            name,
            is_daemon: kind == Kind::Daemon,
            is_killed: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            has_panicked: AtomicBool::new(false),
            waker: Mutex::default(),
            waiters: Mutex::default(),
            end: Parker::new("end"),
        })
    }

    /// Ends the task: its future is dropped the next time the task runs.
    pub(crate) fn kill(&self) {
        self.is_killed.store(true, Ordering::SeqCst);
        // Taken first: a waker is foreign code, which must not run under the lock.
        let waker = locked(&self.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.is_killed.load(Ordering::SeqCst)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::SeqCst)
    }

    fn ends(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
        self.end.unpark();
        let waiters = std::mem::take(&mut *locked(&self.waiters));
        waiters.into_iter().for_each(Waker::wake);
    }

    fn poll_end(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.has_ended() {
            return Poll::Ready(());
        }
        // Cloned first: see `kill`.
        let waker = context.waker().clone();
        if self.has_ended() {
            return Poll::Ready(());
        }
        let mut waiters = locked(&self.waiters);
        if !waiters.iter().any(|known| known.will_wake(&waker)) {
            waiters.push(waker);
        }
        Poll::Pending
    }

    /// Completes when the task has ended and its future is dropped.
    #[cfg_attr(not(feature = "net"), expect(dead_code, reason = "for the network"))]
    pub(crate) async fn end(&self) {
        poll_fn(|context| self.poll_end(context)).await;
    }
}

impl fmt::Debug for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskState")
            .field("name", &self.name)
            .field("has_ended", &self.has_ended())
            .finish_non_exhaustive()
    }
}

/// A task's body with its shared state: runs the future until it is done or killed.
pub(crate) struct Body<T> {
    life: Arc<TaskState>,
    output: Output<T>,
}

impl<T> Body<T> {
    pub(crate) fn new(life: &Arc<TaskState>) -> Body<T> {
        Body { life: Arc::clone(life), output: Arc::default() }
    }

    pub(crate) fn output(&self) -> Output<T> {
        Arc::clone(&self.output)
    }

    /// Starts the task, which calls `first` before it polls.
    #[track_caller]
    pub(crate) fn start<F>(self, builder: Builder, first: impl FnOnce() + Send + 'static, future: F) -> JoinHandle<()>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let future = unless_killed(future, Arc::clone(&self.life));
        let on_panic = EndsOnPanic(Arc::clone(&self.life));
        // The future is already dropped here, so its sockets are closed before other tasks see the end.
        let end = move |output| {
            *locked(&self.output) = Some(output);
            self.life.ends();
        };
        if let Some(kernel) = session::kernel() {
            let (mut first, mut turns) = (Some(first), poll::turns(future, end));
            return builder.spawn_turns(kernel, move || {
                if let Some(first) = first.take() {
                    first();
                }
                turns()
            });
        }
        builder.spawn(move || {
            let _on_panic = on_panic;
            first();
            end(poll::block_on(future));
        })
    }
}

/// Ends a task whose future panics outside any run: the tasks that await it would wait forever.
struct EndsOnPanic(Arc<TaskState>);

impl Drop for EndsOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.has_panicked.store(true, Ordering::SeqCst);
            self.0.ends();
        }
    }
}

async fn unless_killed<F: Future>(future: F, life: Arc<TaskState>) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| {
        if life.is_killed() {
            return Poll::Ready(None);
        }
        *locked(&life.waker) = Some(context.waker().clone());
        future.as_mut().poll(context).map(Some)
    })
    .await
}

impl<T> Task<T> {
    pub(crate) fn new(handle: JoinHandle<()>, life: Arc<TaskState>, output: Output<T>) -> Task<T> {
        Task { handle, life, output }
    }

    /// Waits until the task has ended. Returns `None` if it was ended before its future completed.
    #[track_caller]
    pub fn join(self) -> Option<T> {
        self.handle.join();
        locked(&self.output).take().flatten()
    }

    /// Ends the task: its future is dropped at the point where it waits. The task may still be joined.
    pub fn abort(&self) {
        self.life.kill();
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.life.has_ended()
    }
}

/// Like [`Task::join`], without blocking: a task awaits another.
impl<T> Future for Task<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        if self.life.poll_end(context).is_pending() {
            return Poll::Pending;
        }
        self.life.end.try_take();
        match locked(&self.output).take() {
            Some(output) => Poll::Ready(output),
            None if self.life.has_panicked.load(Ordering::SeqCst) => panic!("the awaited task panicked"),
            None => session::misused(&format!("`{}` was awaited again after its output was taken", self.life.name)),
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("life", &self.life).finish_non_exhaustive()
    }
}
