//! Polling a future on a task of its own.
//!
//! Under the kernel a future is polled on its own coroutine, which waits in a parker between two polls; its waker
//! unparks it. Any order of ready futures is therefore reachable, a future that is never woken is named in the deadlock
//! report, and a panic in one ends the run with its text. Elsewhere the future's thread is parked and unparked.

use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

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

    /// Takes the permit, or waits for it, until `deadline` at the latest; returns whether it was given. A thread may
    /// also return without a permit.
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
        let polled = {
            let _polling = Polling::begin();
            future.as_mut().poll(&mut context)
        };
        match polled {
            Poll::Ready(output) => return output,
            Poll::Pending => parker.park(None),
        };
    }
}

/// The task is in a poll: the tasks that it spawns are enqueued, and do not run before the next scheduling point.
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
