//! Futures as tasks of a run, under the names of the package `lastref`: each has its own task, so the strategy orders
//! futures as it orders threads.
//!
//! A runtime for futures polls its ready tasks in its own order; tokio's on one thread has a queue. No schedule changes
//! that order. Code that needs no runtime, such as channels, locks and protocols over `tokio::io::duplex`, runs on
//! these tasks instead, in any order. Outside a run each task is an OS thread.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::thread::{self, JoinHandle, Thread};

/// A task that runs a future. Awaiting it returns its output, as joining does; dropping the handle lets the task
/// continue.
pub struct Task<T> {
    handle: JoinHandle<()>,
    state: Arc<State<T>>,
}

/// The state that a task shares with its handle.
struct State<T> {
    is_aborted: AtomicBool,
    /// Real std's lock: it is held for a few instructions, between which no other task runs.
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    progress: Progress<T>,
    /// Wakes the task itself, so that it sees that it was aborted.
    own: Option<Waker>,
    /// Wakes the tasks that await it.
    waiters: Vec<Waker>,
}

enum Progress<T> {
    Runs,
    /// The output; `None` if the task was aborted.
    Ended(Option<T>),
    Panicked,
    Taken,
}

impl<T> State<T> {
    fn inner(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ends(&self, progress: Progress<T>) {
        let waiters = {
            let mut inner = self.inner();
            inner.progress = progress;
            std::mem::take(&mut inner.waiters)
        };
        // Without the lock: a waker is foreign code.
        waiters.into_iter().for_each(Waker::wake);
    }

    fn take(&self) -> Progress<T> {
        std::mem::replace(&mut self.inner().progress, Progress::Taken)
    }
}

/// Runs a future on a new task. A scheduling point.
#[track_caller]
pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    let inner = Inner { progress: Progress::Runs, own: None, waiters: Vec::new() };
    let state = Arc::new(State { is_aborted: AtomicBool::new(false), inner: Mutex::new(inner) });
    let own = Arc::clone(&state);
    let handle = thread::spawn(move || {
        let runs = || block_on(unless_aborted(future, &own));
        match catch_unwind(AssertUnwindSafe(runs)) {
            Ok(output) => own.ends(Progress::Ended(output)),
            Err(panic) => {
                own.ends(Progress::Panicked);
                resume_unwind(panic);
            }
        }
    });
    Task { handle, state }
}

/// The output of the future, or `None` once the task is aborted. The future is dropped before this returns.
async fn unless_aborted<T, F: Future<Output = T>>(future: F, state: &State<T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        if state.is_aborted.load(Ordering::SeqCst) {
            return Poll::Ready(None);
        }
        state.inner().own = Some(context.waker().clone());
        future.as_mut().poll(context).map(Some)
    })
    .await
}

impl<T> Task<T> {
    /// Waits until the task has ended. Returns `None` if it was aborted before its future completed.
    ///
    /// # Panics
    /// With the panic of the task, if it panicked.
    #[track_caller]
    pub fn join(self) -> Option<T> {
        if let Err(panic) = self.handle.join() {
            resume_unwind(panic);
        }
        match self.state.take() {
            Progress::Ended(output) => output,
            _ => None,
        }
    }

    /// Ends the task: its future is dropped at the point where it waits. The task may still be joined.
    pub fn abort(&self) {
        self.state.is_aborted.store(true, Ordering::SeqCst);
        let own = self.state.inner().own.take();
        if let Some(own) = own {
            own.wake();
        }
    }

    /// Whether it has ended. A scheduling point, as for the handle of a thread: a loop may wait for the end.
    #[track_caller]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished() || self.has_ended()
    }

    fn has_ended(&self) -> bool {
        !matches!(self.state.inner().progress, Progress::Runs)
    }
}

/// Like [`Task::join`], without blocking: a task awaits another.
impl<T> Future for Task<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        // Cloned first: a waker is foreign code, which must not run under the lock.
        let waker = context.waker().clone();
        {
            let mut inner = self.state.inner();
            if matches!(inner.progress, Progress::Runs) {
                if !inner.waiters.iter().any(|known| known.will_wake(&waker)) {
                    inner.waiters.push(waker);
                }
                return Poll::Pending;
            }
        }
        match self.state.take() {
            Progress::Ended(output) => Poll::Ready(output),
            Progress::Panicked => panic!("the awaited task panicked"),
            Progress::Runs | Progress::Taken => panic!("the task was awaited again after its output was taken"),
        }
    }
}

impl<T> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("has_ended", &self.has_ended()).finish_non_exhaustive()
    }
}

/// Wakes the task that polls a future.
struct Parker {
    thread: Thread,
    /// Set at each wake: a park may also end for another reason.
    is_woken: AtomicBool,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// Polls a future on the current task until it completes.
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Arc::new(Parker { thread: thread::current(), is_woken: AtomicBool::new(false) });
    let waker = Waker::from(Arc::clone(&parker));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        while !parker.is_woken.swap(false, Ordering::SeqCst) {
            thread::park();
        }
    }
}

/// Lets other tasks run first.
pub async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        thread::yield_now();
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
