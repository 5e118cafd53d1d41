//! Timers of futures: a deadline, and the waker of the task that waits for it.
//!
//! A sleep wakes the waker that it was polled with, as any future does. A combinator with wakers of its own, such as
//! a set of futures, polls only the futures whose wakers were woken, so a deadline of the whole task would not
//! suffice.

use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use kernel::Kernel;

use crate::checks::{TimerKey, Timers};
use crate::panics;
use crate::session::{self, with_run};
use crate::time::{Duration, Elapsed, Instant};

/// Changes the timers, and moves the alarm if the earliest deadline changes.
fn change(change: impl FnOnce(&mut Timers) -> Option<Waker>) {
    let Some(kernel) = session::kernel() else { return };
    let changed = with_run(|run| {
        let timers = &mut run.checks.timers;
        let before = timers.earliest();
        let removed = change(timers);
        let is_served = std::mem::replace(&mut timers.is_served, true);
        (removed, before, timers.earliest(), is_served)
    });
    // The waker is dropped here: its destructor may use the run.
    let Some((_removed, before, earliest, is_served)) = changed else { return };
    if !is_served {
        kernel.start_alarm(move || serve(kernel), Location::caller());
    } else if before != earliest {
        kernel.set_alarm(earliest);
    }
}

/// The alarm task: wakes the wakers whose deadlines have passed, until the run ends.
fn serve(kernel: &Kernel) {
    loop {
        let now = Instant::now().as_ns();
        let due = with_run(|run| run.checks.timers.take_due(now)).unwrap_or_default();
        panics::guarded(|| due.into_iter().for_each(Waker::wake));
        let earliest = with_run(|run| run.checks.timers.earliest()).flatten();
        if !kernel.await_alarm(earliest, Location::caller()) {
            return;
        }
    }
}

/// Completes after `duration` of virtual time.
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { until: Instant::now() + duration, key: None }
}

/// The future that [`sleep`] returns.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Sleep {
    until: Instant,
    /// Its timer, after the first poll.
    key: Option<TimerKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if session::kernel().is_none() {
            session::misused(
                "`lastref::task::sleep` completes only within a run of a scheduled engine: fiber or turmoil",
            );
        }
        if Instant::now() >= self.until {
            self.cancel();
            return Poll::Ready(());
        }
        // Unique in the process, since a sleep may outlive its run. Within a run only their order counts.
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let until = self.until;
        let key = *self.key.get_or_insert_with(|| (until.as_ns(), NUMBERS.fetch_add(1, Ordering::Relaxed)));
        let waker = context.waker().clone();
        change(|timers| timers.pending.insert(key, waker));
        Poll::Pending
    }
}

impl Sleep {
    fn cancel(&mut self) {
        if let Some(key) = self.key.take() {
            change(|timers| timers.pending.remove(&key));
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Returns the future's output, unless `duration` of virtual time passes first.
///
/// # Errors
/// [`Elapsed`] if that time passes first.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut sleep = pin!(sleep(duration));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => sleep.as_mut().poll(context).map(|()| Err(Elapsed)),
    })
    .await
}
