//! `taskpool.TaskPool`: runs the jobs of connections (v1.5.12, taskpool.go).
//!
//! Upstream starts a goroutine for each task up to a limit, and queues the rest; here that many goroutines run from the
//! start. A connection recovers from a job's panic before it reaches the pool.
//!
//! Deviates: a stopped pool finishes the queued tasks. Upstream drops them, since the process ends.

use std::collections::VecDeque;

use lastref::sync::{Condvar, Mutex};

/// A task of the pool.
pub(super) type Task = Box<dyn FnOnce() + Send>;

/// The queue of the pool.
pub(super) struct TaskPool {
    queue: Mutex<Queue>,
    queued: Condvar,
}

struct Queue {
    tasks: VecDeque<Task>,
    closed: bool,
}

impl TaskPool {
    /// `New`. The caller must run [`TaskPool::work`] on each worker thread.
    pub(super) fn new() -> TaskPool {
        let queue = Queue { tasks: VecDeque::new(), closed: false };
        TaskPool { queue: Mutex::named("chQqueue", queue), queued: Condvar::named("chQqueue") }
    }

    /// `Go`.
    pub(super) fn go(&self, task: Task) {
        self.queue.lock().tasks.push_back(task);
        self.queued.notify_one();
    }

    /// Runs tasks until the pool is stopped and its queue is empty.
    pub(super) fn work(&self) {
        let mut queue = self.queue.lock();
        loop {
            if let Some(task) = queue.tasks.pop_front() {
                drop(queue);
                task();
                queue = self.queue.lock();
            } else if queue.closed {
                return;
            } else {
                queue = self.queued.wait(queue);
            }
        }
    }

    /// `Stop`.
    pub(super) fn stop(&self) {
        self.queue.lock().closed = true;
        self.queued.notify_all();
    }
}
