//! Futures on tasks of a run: each runs on a task of its own, so that the strategy orders futures as it orders
//! threads.
//!
//! A future is polled on its own coroutine, which waits for a token between two polls; its waker gives the token. Any
//! order of ready futures is therefore reachable, a future that is never woken is named in the deadlock report, and a
//! panic in one ends the run with its text.

use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::engine::{self, Arm, Object, sched};
use crate::run::{self, Run};
use crate::time::Instant;

/// What a future waits for.
#[derive(Debug)]
pub(super) struct Token(Object);

impl Token {
    /// A token that is not given.
    #[track_caller]
    pub(super) fn new(name: &'static str) -> Arc<Token> {
        Arc::new(Token(Object::new(name)))
    }

    /// Gives it. Not a scheduling point.
    pub(super) fn give(&self) {
        if self.0.is_current() {
            sched::give_token(self.0.id());
        } else if self.0.is_used_by_stranger() {
            self.0.admits(Location::caller());
        }
        // A waker that has outlived its run has no future to wake.
    }

    /// Takes it, or waits for it, until `deadline` at the latest; returns whether it was given.
    #[track_caller]
    pub(super) fn take(&self, deadline: Option<Instant>) -> bool {
        sched::take_token(self.0.id(), deadline.map(Instant::as_ns), Location::caller())
    }

    /// Takes it if it was given: the giver's operations happened before. Not a scheduling point.
    pub(super) fn try_take(&self) -> bool {
        sched::try_take_token(self.0.id())
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
/// Outside a run of the scheduled engine; the other engines have no tokens.
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert!(
        engine::arm() == Arm::Sched,
        "a future runs on the simulated network only within a run of a scheduled engine: turmoil or fiber"
    );
    let token = Token::new("future");
    let waker = Waker::from(Arc::clone(&token));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        let polled = {
            let _polling = Polling::begin();
            future.as_mut().poll(&mut context)
        };
        match polled {
            Poll::Ready(output) => return output,
            Poll::Pending => token.take(None),
        };
    }
}

/// The task is in a poll: the tasks that it spawns are enqueued, and do not run before the next scheduling point.
struct Polling;

impl Polling {
    fn begin() -> Polling {
        run::with(Run::poll_begins);
        Polling
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        run::with(Run::poll_ends);
    }
}
