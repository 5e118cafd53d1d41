//! `WorkSerializer`: serializes the callbacks of a channel's control plane, in place of a lock.
//!
//! Upstream (1.53.0, work_serializer.cc). One 64-bit word holds the number of owners (16 bits) and the number of
//! callbacks, plus one for the serializer itself (48 bits). A thread that finds no owner runs its callback at once,
//! then the callbacks queued meanwhile; otherwise it queues its callback. So a callback runs on the caller's stack or
//! on another thread's, and never inside another callback.
//!
//! Left out: `Orphan`, the end of the serializer itself. Deviates: the queue is a list under a lock instead of a
//! lock-free one, and an owner that expects a callback blocks until it is queued, instead of spinning.

use std::collections::VecDeque;

use lastref::property::sometimes;
use lastref::sync::atomic::{AtomicU64, Ordering};
use lastref::sync::{Condvar, Mutex};

use crate::subchannel::iomgr::exec_ctx::{ExecCtx, Job};

const OWNER: u64 = 1 << 48;
const SIZE: u64 = 1;

/// `WorkSerializer`.
pub(crate) struct WorkSerializer {
    refs: AtomicU64,
    queue: Mutex<VecDeque<Job>>,
    pushed: Condvar,
}

impl WorkSerializer {
    pub(crate) fn new() -> WorkSerializer {
        WorkSerializer {
            refs: AtomicU64::named("WorkSerializer.refs_", SIZE),
            queue: Mutex::named("WorkSerializer.queue_", VecDeque::new()),
            pushed: Condvar::named("WorkSerializer.queue_"),
        }
    }

    /// `WorkSerializer::Run`.
    pub(crate) fn run(&self, exec_ctx: &mut ExecCtx, job: impl FnOnce(&mut ExecCtx) + Send + 'static) {
        let before = self.refs.fetch_add(OWNER + SIZE, Ordering::AcqRel);
        if before < OWNER {
            job(exec_ctx);
            self.drain_queue_owned(exec_ctx);
            return;
        }
        sometimes("a WorkSerializer has an owner when a callback comes", true);
        self.refs.fetch_sub(OWNER, Ordering::AcqRel);
        self.queue.lock().push_back(Box::new(job));
        self.pushed.notify_one();
    }

    /// `WorkSerializer::DrainQueueOwned`.
    fn drain_queue_owned(&self, exec_ctx: &mut ExecCtx) {
        loop {
            let before = self.refs.fetch_sub(SIZE, Ordering::AcqRel) % OWNER;
            // Ownership ends only if no callback was announced since; otherwise one is about to be queued.
            let drained = before == 2 * SIZE
                && self.refs.compare_exchange(OWNER + SIZE, SIZE, Ordering::AcqRel, Ordering::Acquire).is_ok();
            if drained {
                return;
            }
            let mut queue = self.queue.lock();
            let job = loop {
                match queue.pop_front() {
                    Some(job) => break job,
                    None => queue = self.pushed.wait(queue),
                }
            };
            drop(queue);
            job(exec_ctx);
        }
    }
}
