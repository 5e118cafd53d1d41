//! Futures on tasks of a run: each runs on a task of its own, so that the strategy that orders threads orders futures too.
//!
//! A future is polled on its own coroutine, which waits for a token between two polls; its waker gives the token. So any
//! order of ready futures is reachable, a future that is never woken is in the deadlock report by its name, and a panic
//! in one ends the run with its text.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::wire;
use crate::engine::{self, Arm, Object, sched};
use crate::op::TaskId;
use crate::time::{Duration, Elapsed, Instant};

/// What a future waits for.
#[derive(Debug)]
pub(super) struct Token(Object);

impl Token {
    /// A token that nobody has given.
    #[track_caller]
    pub(super) fn new(name: &'static str) -> Arc<Token> {
        Arc::new(Token(Object::new(name)))
    }

    /// Gives it. No scheduling point.
    pub(super) fn give(&self) {
        if self.0.is_current() {
            sched::give_token(self.0.id());
        } else if self.0.is_used_by_stranger() {
            self.0.admits(Location::caller());
        }
        // A waker that has outlived its run has no future to wake.
    }

    /// Takes it, or waits for it, until `deadline` at the latest; whether it was given.
    #[track_caller]
    pub(super) fn take(&self, deadline: Option<Instant>) -> bool {
        sched::take_token(self.0.id(), deadline.map(Instant::as_ns), Location::caller())
    }
}

impl Wake for Token {
    fn wake(self: Arc<Self>) {
        self.give();
    }
}

/// Runs a future to its end on this task.
///
/// # Panics
/// Outside a run of the scheduled engine, which alone has tokens.
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert!(
        engine::arm() == Arm::Sched,
        "a future runs on the simulated network only within a run of engine turmoil or shuttle"
    );
    let token = Token::new("future");
    let waker = Waker::from(Arc::clone(&token));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        // What a task of a run before this one has left behind is nobody's.
        take_deadline();
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => token.take(take_deadline()),
        };
    }
}

/// Completes after `duration` of virtual time.
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { until: Instant::now() + duration }
}

/// What [`sleep`] gives.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub struct Sleep {
    until: Instant,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.until {
            return Poll::Ready(());
        }
        // The task's next poll is then at the latest. Whoever polls it in that poll asks again.
        DEADLINES.with_borrow_mut(|deadlines| {
            let deadline = deadlines.entry(wire::task()).or_insert(self.until);
            *deadline = self.until.min(*deadline);
        });
        Poll::Pending
    }
}

/// The future's output, unless `duration` of virtual time is over first.
///
/// # Errors
/// [`Elapsed`] if it is.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut sleep = pin!(sleep(duration));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => sleep.as_mut().poll(context).map(|()| Err(Elapsed)),
    })
    .await
}

thread_local! {
    /// When a task whose future is being polled wants to be polled again at the latest. By task, since what a poll calls
    /// may let others be polled in the middle of it.
    static DEADLINES: RefCell<BTreeMap<TaskId, Instant>> = const { RefCell::new(BTreeMap::new()) };
}

fn take_deadline() -> Option<Instant> {
    DEADLINES.with_borrow_mut(|deadlines| deadlines.remove(&wire::task()))
}
