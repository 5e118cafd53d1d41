//! `ExecCtx`: the callbacks that a thread must run before it leaves the library.
//!
//! Upstream (1.53.0, exec_ctx.cc). A callback is not called at once, since locks may be held there; it is appended to
//! the thread's list. When the thread has nothing else to do, it runs the list, and the combiners whose runner it is.
//! Upstream keeps the list in a thread-local; here it is an argument, as it was upstream until 2017.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::kit::harness::impl_debug;
use crate::subchannel::iomgr::combiner::Combiner;

/// A callback to run.
pub(crate) type Job = Box<dyn FnOnce(&mut ExecCtx) + Send>;

/// `ExecCtx`.
#[derive(Default)]
pub struct ExecCtx {
    closures: VecDeque<Job>,
    combiners: VecDeque<Arc<Combiner>>,
}

impl ExecCtx {
    /// Enters the library: runs `body`, then all callbacks and combiners that it scheduled, directly or indirectly.
    pub fn scope<R>(body: impl FnOnce(&mut ExecCtx) -> R) -> R {
        let mut exec_ctx = ExecCtx::default();
        let result = body(&mut exec_ctx);
        exec_ctx.flush();
        result
    }

    /// `ExecCtx::Run`.
    pub(crate) fn run(&mut self, job: impl FnOnce(&mut ExecCtx) + Send + 'static) {
        self.closures.push_back(Box::new(job));
    }

    /// Makes this thread the runner of `combiner`.
    pub(crate) fn schedule(&mut self, combiner: &Arc<Combiner>) {
        self.combiners.push_back(Arc::clone(combiner));
    }

    /// `ExecCtx::Flush`.
    fn flush(&mut self) {
        loop {
            if let Some(job) = self.closures.pop_front() {
                job(self);
            } else if let Some(combiner) = self.combiners.pop_front() {
                if combiner.run_next(self) {
                    self.combiners.push_front(combiner);
                }
            } else {
                return;
            }
        }
    }
}

impl_debug!(ExecCtx {});
