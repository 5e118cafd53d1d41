//! `Combiner`: serializes a transport's callbacks, in place of a lock.
//!
//! Upstream (1.53.0, combiner.cc). A thread that submits work to an idle combiner becomes its runner, and runs it from
//! its ExecCtx; other threads only queue their work. Left out: handing a contended combiner to an executor thread, and
//! the list that runs when the others are done (`FinallyRun`), which batches writes.
//!
//! Deviates: upstream increments the count before it queues the work, and the runner spins if it finds the queue still
//! empty. Here the work is queued first. The possible orders of work are the same, and the runner never spins.

use std::collections::VecDeque;
use std::sync::Arc;

use lastref::cell::RaceCell;
use lastref::property::always;
use lastref::sync::Mutex;
use lastref::sync::atomic::{AtomicU64, Ordering};

use crate::kit::harness::Unscheduled;
use crate::subchannel::iomgr::exec_ctx::{ExecCtx, Job};

/// `Combiner`.
pub(crate) struct Combiner {
    state: AtomicU64,
    queue: Mutex<VecDeque<Job>>,
}

impl Combiner {
    pub(crate) fn new() -> Arc<Combiner> {
        Arc::new(Combiner {
            state: AtomicU64::named("combiner", 0),
            queue: Mutex::named("combiner.queue", VecDeque::new()),
        })
    }

    /// `Combiner::Run`.
    pub(crate) fn run(self: &Arc<Self>, exec_ctx: &mut ExecCtx, job: impl FnOnce(&mut ExecCtx) + Send + 'static) {
        self.queue.lock().push_back(Box::new(job));
        if self.state.fetch_add(1, Ordering::AcqRel) == 0 {
            exec_ctx.schedule(self);
        }
    }

    /// `grpc_combiner_continue_exec_ctx`: runs one piece of work. True if more is left.
    pub(crate) fn run_next(&self, exec_ctx: &mut ExecCtx) -> bool {
        let job = self.queue.lock().pop_front();
        always("a combiner that runs has something to run", job.is_some());
        if let Some(job) = job {
            job(exec_ctx);
        }
        self.state.fetch_sub(1, Ordering::AcqRel) > 1
    }
}

/// State that a combiner or a WorkSerializer guards: one callback at a time accesses it, from its beginning to its end.
/// The serializer's synchronization must order the accesses of two callbacks.
pub(crate) struct Guarded<T> {
    race: RaceCell<()>,
    /// Empty while a callback accesses it. Harness state: its lock is not a scheduling point.
    value: Unscheduled<Option<T>>,
}

impl<T> Guarded<T> {
    pub(crate) fn named(name: &'static str, value: T) -> Guarded<T> {
        Guarded { race: RaceCell::named(name, ()), value: Unscheduled::new(Some(value)) }
    }

    /// Runs `body` with the state.
    #[track_caller]
    pub(crate) fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.race.with_mut(|()| ());
        let mut value = self.value.take();
        always("state guarded by a serializer is used by one callback at a time", value.is_some());
        let result = value.as_mut().map(body);
        *self.value.lock() = value;
        result
    }
}
