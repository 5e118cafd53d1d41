//! Futures as tasks of a run: each runs on its own task, so that the strategy orders futures as it orders threads.
//!
//! All of it works under the scheduled engines, with or without a network. Outside any run [`spawn`] starts an OS
//! thread, and [`block_on`] polls on the calling thread. Under loom and real threads [`block_on`] works, and [`spawn`]
//! does not. [`sleep`] and [`timeout`] need a scheduled engine.

mod handle;
mod poll;
mod set;
mod timer;

use std::future::{Future, poll_fn};
use std::task::Poll;

pub use handle::Task;
pub(crate) use handle::{Body, Kind, TaskState};
#[cfg(feature = "net")]
pub(crate) use poll::Parker;
pub use poll::block_on;
pub use set::JoinSet;
pub use timer::{Sleep, sleep, timeout};

use crate::session::{self, Backend, arm};
use crate::thread::Builder;

/// Runs a future on a new task.
///
/// A scheduling point, except within a poll: there the new task is only enqueued, so that code that holds a std lock
/// may spawn.
///
/// Under loom and real threads the run ends as a misuse.
#[track_caller]
pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Task<T> {
    if matches!(arm(), Backend::Loom | Backend::Threads) {
        session::misused(
            "`lastref::task::spawn` works within a run of a scheduled engine, fiber or turmoil, and outside any run",
        );
    }
    let life = TaskState::new(String::from("future"), Kind::Ordinary);
    let body = Body::new(&life);
    let output = body.output();
    let handle = body.start(Builder::new(), || (), future);
    Task::new(handle, life, output)
}

/// Lets other tasks run first.
pub async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        if let Some(kernel) = session::kernel() {
            kernel.yields();
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
