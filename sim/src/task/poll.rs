//! Polls a future on its own task.
//!
//! Under the kernel a future is polled on a coroutine, and its task waits in a parker between two polls; its waker
//! unparks it. Any order of ready futures is therefore reachable, a future that is never woken is named in the deadlock
//! report, and a panic in one ends the run with its text. The task of a spawned future has no stack while it waits.
//! Without the kernel, the thread of the future is parked and unparked.

use std::future::Future;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use kernel::Turn;
use kernel::record::{Log, OpKind};

use crate::engine::Object;
use crate::session::{self, with_log};
use crate::thread::{self, Thread};
use crate::time::Instant;

/// Parks the task of a future.
#[derive(Debug)]
pub(crate) enum Parker {
    /// A parker of the kernel.
    Kernel(Object),
    /// The thread that created the parker.
    Thread(Thread),
}

impl Parker {
    /// A parker without a permit.
    #[track_caller]
    pub(crate) fn new(name: &'static str) -> Arc<Parker> {
        Arc::new(match session::kernel() {
            Some(_) => Parker::Kernel(Object::new(name)),
            None => Parker::Thread(thread::current()),
        })
    }

    /// Gives the permit. Under the kernel not a scheduling point: see [`kernel::Kernel::wake`].
    #[track_caller]
    pub(crate) fn unpark(&self) {
        let parker = match self {
            Parker::Kernel(parker) => parker,
            Parker::Thread(thread) => return thread.wake(),
        };
        if let Some(kernel) = parker.kernel_if_current() {
            kernel.wake(parker.id());
        } else if parker.is_used_by_stranger() {
            parker.admits(Location::caller());
        }
        // A waker that has outlived its run has no future to wake.
    }

    /// Takes the permit, and waits for it if necessary, at most until `deadline`. Returns whether it was given; on an
    /// OS thread it may return true without a permit.
    #[track_caller]
    pub(crate) fn park(&self, deadline: Option<Instant>) -> bool {
        let location = Location::caller();
        match (self, deadline) {
            (Parker::Kernel(parker), _) => parker
                .kernel(location)
                .is_some_and(|kernel| kernel.park(parker.id(), OpKind::Wait, deadline.map(Instant::as_ns), location)),
            (Parker::Thread(_), None) => {
                thread::park();
                true
            }
            (Parker::Thread(_), Some(deadline)) => {
                thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
                true
            }
        }
    }

    /// Takes the permit if it was given: the giver's operations happened before. Not a scheduling point.
    pub(crate) fn try_take(&self) {
        if let Parker::Kernel(parker) = self
            && let Some(kernel) = parker.kernel_if_current()
        {
            kernel.try_take_permit(parker.id());
        }
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }
}

/// Runs a future to its end on this task.
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::new("future");
    let waker = Waker::from(Arc::clone(&parker));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match once(future.as_mut(), &mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => parker.park(None),
        };
    }
}

fn once<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    let _polling = Polling::begin();
    future.poll(context)
}

/// The turns of a kernel's task that runs a future: each polls once, and the last one passes the output to `end`, after
/// the future is dropped.
pub(crate) fn turns<F: Future>(future: F, end: impl FnOnce(F::Output)) -> impl FnMut() -> Turn {
    let (mut running, mut waker) = (Some((Box::pin(future), end)), None);
    move || {
        let (waker, parker) = waker.get_or_insert_with(|| {
            let parker = Parker::new("future");
            let Parker::Kernel(object) = *parker else {
                unreachable!("invariant: a task of the kernel runs in its run")
            };
            (Waker::from(parker), object.id())
        });
        let Some((future, _)) = &mut running else { unreachable!("invariant: the last turn ends the task") };
        let Poll::Ready(output) = once(future.as_mut(), &mut Context::from_waker(waker)) else {
            return Turn::Waits(*parker);
        };
        if let Some((future, end)) = running.take() {
            drop(future);
            end(output);
        }
        Turn::Ends
    }
}

/// While it exists, the task is in a poll: the tasks that it spawns are enqueued, and do not run before the next
/// scheduling point.
struct Polling;

impl Polling {
    fn begin() -> Polling {
        with_log(Log::poll_begins);
        Polling
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        with_log(Log::poll_ends);
    }
}
