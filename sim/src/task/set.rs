//! A set of tasks that are awaited in the order in which they end.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use super::handle::Task;

/// Tasks with one type of output. Dropping the set lets its tasks continue.
#[derive(Debug)]
pub struct JoinSet<T> {
    tasks: Vec<Task<T>>,
}

impl<T> Default for JoinSet<T> {
    fn default() -> JoinSet<T> {
        JoinSet { tasks: Vec::new() }
    }
}

impl<T: Send + 'static> JoinSet<T> {
    /// A set without tasks.
    pub fn new() -> JoinSet<T> {
        JoinSet::default()
    }

    /// Starts a task, as [`super::spawn`] does, and adds it.
    #[track_caller]
    pub fn spawn(&mut self, future: impl Future<Output = T> + Send + 'static) {
        self.tasks.push(super::spawn(future));
    }

    /// The number of tasks in the set, ended or not.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether the set has no tasks.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Ends every task: its future is dropped where it waits. The tasks stay in the set.
    pub fn abort_all(&self) {
        self.tasks.iter().for_each(Task::abort);
    }

    /// Waits until a task has ended, removes it, and returns its output: `Some(None)` if it was aborted. `None` if the
    /// set is empty. Of several tasks that have ended, the one that was added first is removed.
    pub async fn join_next(&mut self) -> Option<Option<T>> {
        if self.tasks.is_empty() {
            return None;
        }
        let output = poll_fn(|context| {
            for place in 0..self.tasks.len() {
                if let Poll::Ready(output) = Pin::new(&mut self.tasks[place]).poll(context) {
                    self.tasks.remove(place);
                    return Poll::Ready(output);
                }
            }
            Poll::Pending
        });
        Some(output.await)
    }
}
