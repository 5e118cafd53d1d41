//! The event loop: pollers, which run the closures of ready fds, and a thread that runs timers.
//!
//! Upstream (1.53.0): ev_epoll1_linux.cc, and the timers of the EventEngine. `RunAfter` returns a handle; `Cancel`
//! returns true if the callback will never run, and false once it has begun.
//!
//! Deviates: one lock guards events and timers, so that a caller can wait for the whole loop: until nothing runs and no
//! event is left (`Iomgr::at_rest`), or until no timer is left either ([`Iomgr::drain`]). Without a poller or a timer
//! thread, the waiting thread does that work.

pub(crate) mod combiner;
pub(crate) mod exec_ctx;
pub(crate) mod fd;
pub(crate) mod lockfree_event;
pub(crate) mod work_serializer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lastref::net::{Host, thread_on};
use lastref::sync::{Condvar, Mutex, MutexGuard};
use lastref::thread::JoinHandle;
use lastref::time::{Duration, Instant};

use crate::kit::harness::{Unscheduled, impl_debug};
use crate::subchannel::iomgr::exec_ctx::{ExecCtx, Job};
use crate::subchannel::iomgr::fd::GrpcFd;
use crate::subchannel::library::Threads;

/// The work of a thread of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Role {
    polls: bool,
    times: bool,
}

/// The directions of an fd that became ready: epoll reports edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

pub(crate) const READABLE: Edge = Edge { readable: true, writable: false };
pub(crate) const WRITABLE: Edge = Edge { readable: false, writable: true };
pub(crate) const BOTH: Edge = Edge { readable: true, writable: true };

/// `EventEngine::TaskHandle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskHandle(u64);

struct Timer {
    handle: TaskHandle,
    at: Instant,
    job: Job,
}

#[derive(Default)]
struct Pending {
    events: VecDeque<(Arc<GrpcFd>, Edge)>,
    timers: Vec<Timer>,
    made: u64,
    running: u32,
    exit: bool,
}

impl Pending {
    fn is_at_rest(&self) -> bool {
        self.running == 0 && self.events.is_empty()
    }

    /// The timer that is due first; of equal ones, the oldest.
    fn next_timer(&self) -> Option<usize> {
        (0..self.timers.len()).min_by_key(|&place| self.timers[place].at)
    }
}

/// The event loop.
pub struct Iomgr {
    mu: Mutex<Pending>,
    cv: Condvar,
    threads: Threads,
    /// True once a caller has waited in [`Iomgr::at_rest`]. Harness state, which adds no ordering to the component.
    watched: AtomicBool,
    /// Joined once, by [`Iomgr::drain`]: harness state, not the component's.
    joins: Unscheduled<Vec<JoinHandle<()>>>,
}

impl Iomgr {
    /// Starts the threads that the plan gives the loop, on `host` if there is one.
    pub fn start(threads: Threads, host: Option<Host>) -> Arc<Iomgr> {
        let iomgr = Arc::new(Iomgr {
            mu: Mutex::named("iomgr", Pending::default()),
            cv: Condvar::named("iomgr"),
            threads,
            watched: AtomicBool::new(false),
            joins: Unscheduled::default(),
        });
        let pollers =
            (0..threads.pollers).map(|poller| (format!("poller.{poller}"), Role { polls: true, times: false }));
        let timers = threads.timers.then(|| ("timers".to_owned(), Role { polls: false, times: true }));
        let started = pollers.chain(timers).map(|(name, role)| {
            let iomgr = Arc::clone(&iomgr);
            thread_on(host, &name, move || iomgr.work(role))
        });
        let started: Vec<JoinHandle<()>> = started.collect();
        *iomgr.joins.lock() = started;
        iomgr
    }

    /// `EventEngine::RunAfter`.
    pub fn run_after(&self, delay: Duration, job: impl FnOnce(&mut ExecCtx) + Send + 'static) -> TaskHandle {
        let mut pending = self.mu.lock();
        pending.made += 1;
        let handle = TaskHandle(pending.made);
        pending.timers.push(Timer { handle, at: Instant::now() + delay, job: Box::new(job) });
        self.cv.notify_all();
        handle
    }

    /// `EventEngine::Cancel`: whether the callback will never run.
    pub(crate) fn cancel(&self, handle: TaskHandle) -> bool {
        let mut pending = self.mu.lock();
        let before = pending.timers.len();
        let cancelled: Vec<Timer> = pending.timers.extract_if(.., |timer| timer.handle == handle).collect();
        let found = pending.timers.len() < before;
        self.cv.notify_all();
        drop(pending);
        drop(cancelled);
        found
    }

    /// Queues an edge that the kernel reports.
    pub(crate) fn report(&self, fd: Arc<GrpcFd>, edge: Edge) {
        self.mu.lock().events.push_back((fd, edge));
        self.cv.notify_all();
    }

    fn work(&self, role: Role) {
        let mut pending = self.mu.lock();
        loop {
            let event = if role.polls { pending.events.pop_front() } else { None };
            if let Some((fd, edge)) = event {
                pending = self.run(pending, |exec_ctx| fd.handle(exec_ctx, edge));
                continue;
            }
            let timer = if role.times { pending.next_timer() } else { None };
            let left = timer.map(|place| pending.timers[place].at.saturating_duration_since(Instant::now()));
            match (timer, left) {
                (Some(place), Some(Duration::ZERO)) => {
                    let job = pending.timers.remove(place).job;
                    pending = self.run(pending, job);
                }
                _ if pending.exit && pending.is_at_rest() && pending.timers.is_empty() => {
                    self.cv.notify_all();
                    return;
                }
                (_, Some(left)) => pending = self.cv.wait_timeout(pending, left).0,
                _ => pending = self.cv.wait(pending),
            }
        }
    }

    /// Runs `job` with the lock released.
    fn run<'a>(
        &'a self,
        mut pending: MutexGuard<'a, Pending>,
        job: impl FnOnce(&mut ExecCtx),
    ) -> MutexGuard<'a, Pending> {
        pending.running += 1;
        drop(pending);
        ExecCtx::scope(job);
        let mut pending = self.mu.lock();
        pending.running -= 1;
        self.cv.notify_all();
        pending
    }

    /// Waits until no thread of the loop runs a job and no event is left, then calls `check`; no job begins meanwhile.
    /// If `check` returns `None`, the wait continues.
    pub(crate) fn at_rest<R>(&self, mut check: impl FnMut() -> Option<R>) -> R {
        self.watched.store(true, Ordering::SeqCst);
        let mut pending = self.mu.lock();
        loop {
            if pending.is_at_rest() {
                if let Some(result) = check() {
                    return result;
                }
                pending = self.cv.wait(pending);
                continue;
            }
            let event = if self.threads.pollers == 0 { pending.events.pop_front() } else { None };
            match event {
                Some((fd, edge)) => pending = self.run(pending, |exec_ctx| fd.handle(exec_ctx, edge)),
                None => pending = self.cv.wait(pending),
            }
        }
    }

    /// The result of `check`, if the loop is quiescent now; no job begins meanwhile.
    pub(crate) fn if_at_rest<R>(&self, check: impl FnOnce() -> Option<R>) -> Option<R> {
        let pending = self.mu.lock();
        if pending.is_at_rest() { check() } else { None }
    }

    /// True if [`Iomgr::drain`] would end at once, and the network is `idle` as well.
    pub(crate) fn is_drained(&self, idle: impl FnOnce() -> bool) -> bool {
        let pending = self.mu.lock();
        pending.is_at_rest() && pending.timers.is_empty() && idle()
    }

    /// Makes the callers that wait in [`Iomgr::at_rest`] check again.
    pub(crate) fn look_again(&self) {
        if self.watched.load(Ordering::SeqCst) {
            drop(self.mu.lock());
            self.cv.notify_all();
        }
    }

    /// Runs the loop until no event and no timer is left, then ends its threads.
    pub fn drain(&self) {
        self.mu.lock().exit = true;
        self.cv.notify_all();
        let role = Role { polls: self.threads.pollers == 0, times: !self.threads.timers };
        if role.polls || role.times {
            self.work(role);
        }
        self.joins.take().into_iter().for_each(JoinHandle::join);
    }
}

impl_debug!(Iomgr { threads });
