//! `taskpool.TaskPool`: where the jobs of connections run (v1.5.12, taskpool.go).
//!
//! Upstream starts a goroutine per task up to a limit and queues beyond it; here the goroutines are there from the
//! start, as many as the limit. A task's panic is recovered by the connection's own `recover` before it gets here.
//!
//! Deviates: stopping the pool lets it finish what is queued. Upstream drops it, since the process ends.

use std::collections::VecDeque;

use lastref::sync::{Condvar, Mutex};

use crate::kit::harness::impl_debug;

/// What the pool runs.
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
    /// `New`; whoever makes it starts [`TaskPool::work`] on as many threads as it likes.
    pub(super) fn new() -> TaskPool {
        let queue = Queue { tasks: VecDeque::new(), closed: false };
        TaskPool { queue: Mutex::named("chQqueue", queue), queued: Condvar::named("chQqueue") }
    }

    /// `Go`.
    pub(super) fn go(&self, task: Task) {
        self.queue.lock().tasks.push_back(task);
        self.queued.notify_one();
    }

    /// One worker, until the pool is stopped.
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

impl_debug!(TaskPool {});
