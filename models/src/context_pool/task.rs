//! `nni_task` and the task queue (v1.10.1, taskq.c).
//!
//! A task is a callback with its argument, and `busy`, the count of its prepared, queued and running calls.
//! `nni_aio_begin` *prepares* it, which makes it busy before the operation has a result; dispatching consumes the
//! preparation. Waiting for a task means waiting for the count to reach zero.
//!
//! ```text
//! prep:      busy += 1, prep = true
//! dispatch:  prep ? prep = false : busy += 1;  queue it   (no callback: exec)
//! exec:      prep ? prep = false : busy += 1;  callback on this thread;  busy -= 1
//! worker:    callback without a lock;  busy -= 1;  at zero wake the waiters
//! ```
//!
//! Left out: `tq_wait_cv`, which nothing waits on. NNG starts at least two workers (`nni_taskq_sys_init`); a plan for
//! exhaustive exploration may have one, or none if no task has a callback.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::kit::harness::Unscheduled;
use lastref::ledger::{Owner, Resource};
use lastref::net::{Host, thread_on};
use lastref::property::always;
use lastref::sync::{Condvar, Mutex};
use lastref::thread::JoinHandle;

/// A callback with its argument.
pub(super) type Callback = Box<dyn Fn() + Send + Sync>;

const WORKER: Owner = Owner::new("nng:task", 0);

/// `nni_task`.
pub(super) struct Task {
    /// The memory that contains the task. A worker reads it when it takes the task off the queue.
    memory: Resource,
    task_mtx: Mutex<TaskState>,
    task_cv: Condvar,
    task_cb: Option<Callback>,
    task_tq: Arc<TaskQueue>,
}

#[derive(Debug, Default)]
struct TaskState {
    busy: u32,
    prep: bool,
}

impl Task {
    /// `nni_task_init`, within `memory`.
    pub(super) fn new(tq: &Arc<TaskQueue>, memory: Resource, cb: Option<Callback>) -> Arc<Task> {
        Arc::new(Task {
            memory,
            task_mtx: Mutex::named("task_mtx", TaskState::default()),
            task_cv: Condvar::named("task_cv"),
            task_cb: cb,
            task_tq: Arc::clone(tq),
        })
    }

    /// `nni_task_prep`.
    pub(super) fn prep(&self) {
        let mut state = self.task_mtx.lock();
        state.busy += 1;
        state.prep = true;
    }

    /// `nni_task_abort`, which 3ca7bcc0 removed: undoes [`Task::prep`]. True if there was a preparation to undo.
    pub(super) fn abort(&self) -> bool {
        let mut state = self.task_mtx.lock();
        let prepared = std::mem::take(&mut state.prep);
        if prepared {
            self.idle_once(&mut state);
        }
        prepared
    }

    /// `nni_task_dispatch`.
    pub(super) fn dispatch(self: &Arc<Self>) {
        if self.task_cb.is_none() {
            // Without a callback there is no work for another thread.
            return self.exec();
        }
        self.under_way();
        let mut tasks = self.task_tq.tq_mtx.lock();
        tasks.tq_tasks.push_back(Arc::clone(self));
        self.task_tq.tq_sched_cv.notify_one();
    }

    /// `nni_task_exec`: the callback runs on this thread.
    pub(super) fn exec(&self) {
        self.under_way();
        self.run();
    }

    /// `nni_task_busy`.
    pub(super) fn busy(&self) -> bool {
        self.task_mtx.lock().busy > 0
    }

    /// `nni_task_wait`, and the wait in `nni_task_fini`. The task's own callback must not call it: it would wait for
    /// itself.
    pub(super) fn wait(&self) {
        drop(self.task_cv.wait_while(self.task_mtx.lock(), |state| state.busy > 0));
    }

    fn under_way(&self) {
        let mut state = self.task_mtx.lock();
        if state.prep {
            always("a prepared nni_task is busy", state.busy > 0);
            state.prep = false;
        } else {
            state.busy += 1;
        }
    }

    fn run(&self) {
        self.memory.touch(WORKER);
        if let Some(cb) = &self.task_cb {
            cb();
        }
        // The callback may have passed its own aio to the reaper, but not freed it: the free waits for the count below.
        self.memory.touch(WORKER);
        self.idle_once(&mut self.task_mtx.lock());
    }

    fn idle_once(&self, state: &mut TaskState) {
        always("an nni_task that ends was busy", state.busy > 0);
        state.busy -= 1;
        if state.busy == 0 {
            self.task_cv.notify_all();
        }
    }
}

/// `nni_taskq`: the queue, and its workers.
pub(super) struct TaskQueue {
    tq_mtx: Mutex<Tasks>,
    tq_sched_cv: Condvar,
    /// Joined once, by [`TaskQueue::fini`]: harness state, not the component's.
    tq_threads: Unscheduled<Vec<JoinHandle<()>>>,
}

struct Tasks {
    tq_tasks: VecDeque<Arc<Task>>,
    tq_run: bool,
}

impl TaskQueue {
    /// `nni_taskq_init`.
    pub(super) fn start(workers: u32, host: Option<Host>) -> Arc<TaskQueue> {
        let tq = Arc::new(TaskQueue {
            tq_mtx: Mutex::named("tq_mtx", Tasks { tq_tasks: VecDeque::new(), tq_run: true }),
            tq_sched_cv: Condvar::named("tq_sched_cv"),
            tq_threads: Unscheduled::default(),
        });
        let threads = (0..workers).map(|worker| {
            let tq = Arc::clone(&tq);
            thread_on(host, &format!("nng:task.{worker}"), move || tq.thread())
        });
        let threads = threads.collect();
        *tq.tq_threads.lock() = threads;
        tq
    }

    /// `nni_taskq_thread`.
    fn thread(&self) {
        let mut tasks = self.tq_mtx.lock();
        loop {
            if let Some(ready) = tasks.tq_tasks.pop_front() {
                drop(tasks);
                ready.run();
                drop(ready);
                tasks = self.tq_mtx.lock();
            } else if tasks.tq_run {
                tasks = self.tq_sched_cv.wait(tasks);
            } else {
                return;
            }
        }
    }

    /// `nni_taskq_fini`: the workers end when the queue is empty.
    pub(super) fn fini(&self) {
        self.tq_mtx.lock().tq_run = false;
        self.tq_sched_cv.notify_all();
        self.tq_threads.take().into_iter().for_each(JoinHandle::join);
    }
}
