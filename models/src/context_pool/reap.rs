//! The reaper: frees objects that the closing thread cannot free (v1.10.1, reap.c).
//!
//! A pipe is closed from a callback, under locks, or from its own aio's completion; freeing it waits for its aios and
//! so must happen elsewhere. Upstream has one thread for that. A plan for exhaustive exploration does without the
//! thread: then the thread that closes a socket does the reaper's work while it waits for the socket's pipes.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::kit::harness::{Unscheduled, impl_debug};
use lastref::net::{Host, thread_on};
use lastref::sync::{Condvar, Mutex};
use lastref::thread::JoinHandle;

type Work = Box<dyn FnOnce() + Send>;

/// `reap_list` and its thread.
pub struct Reaper {
    reap_mtx: Mutex<List>,
    reap_work_cv: Condvar,
    reap_empty_cv: Condvar,
    /// Whether it has its own thread. Otherwise the thread that waits for the work does it.
    pub(super) threaded: bool,
    /// Joined once, by [`Reaper::fini`]: harness state, not the component's.
    reap_thr: Unscheduled<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct List {
    nodes: VecDeque<Work>,
    reaping: bool,
    exit: bool,
}

impl Reaper {
    /// `nni_reap_sys_init`.
    pub fn start(threaded: bool, host: Option<Host>) -> Arc<Reaper> {
        let reaper = Arc::new(Reaper {
            reap_mtx: Mutex::named("reap_mtx", List::default()),
            reap_work_cv: Condvar::named("reap_work_cv"),
            reap_empty_cv: Condvar::named("reap_empty_cv"),
            threaded,
            reap_thr: Unscheduled::default(),
        });
        let worker = Arc::clone(&reaper);
        let thread = threaded.then(|| thread_on(host, "nng:reap2", move || while worker.reap_next() {}));
        *reaper.reap_thr.lock() = thread;
        reaper
    }

    /// `nni_reap`.
    pub fn reap(&self, work: impl FnOnce() + Send + 'static) {
        let mut list = self.reap_mtx.lock();
        list.nodes.push_back(Box::new(work));
        self.reap_work_cv.notify_one();
    }

    /// Waits for one piece of work and does it. Returns false if the queue is empty and the reaper has ended.
    pub(super) fn reap_next(&self) -> bool {
        let mut list = self.reap_mtx.lock();
        loop {
            if let Some(work) = list.nodes.pop_front() {
                list.reaping = true;
                drop(list);
                work();
                let mut list = self.reap_mtx.lock();
                list.reaping = false;
                if list.nodes.is_empty() {
                    self.reap_empty_cv.notify_all();
                }
                return true;
            }
            if list.exit {
                return false;
            }
            list = self.reap_work_cv.wait(list);
        }
    }

    /// `nni_reap_drain`: waits until every queued object is freed. For a reaper with a thread.
    pub fn drain(&self) {
        let is_busy = |list: &mut List| list.reaping || !list.nodes.is_empty();
        drop(self.reap_empty_cv.wait_while(self.reap_mtx.lock(), is_busy));
    }

    /// `nni_reap_sys_fini`: ends the reaper when its queue is empty.
    pub fn fini(&self) {
        self.reap_mtx.lock().exit = true;
        self.reap_work_cv.notify_all();
        match self.reap_thr.take() {
            Some(thread) => thread.join(),
            None => while self.reap_next() {},
        }
    }
}

impl_debug!(Reaper { threaded });
