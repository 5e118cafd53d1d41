//! The scheduled engines: the kernel of this OS thread executes a run.

use std::sync::Arc;

use kernel::record::Keep;
use kernel::strategy::Strategy;
use kernel::{Bounds, Kernel, Panics};

use super::overflow;
use crate::checks::Checks;
use crate::panics;
use crate::session::{self, Outcome, Session, SessionEngine};
use crate::watch::{self, Watched, Worker};

/// The source of the tasks' stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stacks {
    /// The kernel's own stacks.
    Fiber,
    /// shuttle's stacks, to check ours.
    Shuttle,
}

/// The setup of one run.
#[derive(Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) seed: u64,
    pub(crate) strategy: Box<dyn Strategy>,
    pub(crate) bounds: Bounds,
    pub(crate) keep: Keep,
    pub(crate) watched: &'a Watched,
    /// Size of each task's stack.
    pub(crate) stack_bytes: usize,
    pub(crate) stacks: Stacks,
}

const PANICS: Panics = Panics { bug_of: panics::bug_of, stuck: panics::stuck_while_unwinding };

thread_local! {
    static KEPT: Kept = Kept::new();
}

/// The state that an OS thread keeps from run to run. The kernel itself is leaked once for each thread, since its
/// fibers refer to it; its allocations and stacks are freed with the thread.
struct Kept {
    worker: Arc<Worker>,
    kernel: &'static Kernel,
    session: Session,
}

impl Kept {
    fn new() -> Kept {
        let worker = watch::worker();
        let kernel: &'static Kernel = Box::leak(Box::new(Kernel::new(Arc::clone(&worker.progress))));
        let session = Session::new(SessionEngine::Kernel(kernel, Checks::default().into()));
        Kept { worker, kernel, session }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.kernel.free();
    }
}

/// Executes one run on this OS thread.
///
/// A run that ends early (a finding, a deadlock, a stall) is abandoned: no stack is unwound, so no destructor runs in a
/// half-finished run, and the values on the stacks are leaked.
pub(crate) fn execute(setup: Setup<'_>, body: impl FnOnce() + 'static) -> Outcome {
    let Setup { seed, strategy, bounds, keep, watched, stack_bytes, stacks } = setup;
    if session::kernel().is_some() {
        session::misused("a run is started within a task of another run: start it on a separate OS thread");
    }
    panics::install();
    overflow::install();
    KEPT.with(|kept| {
        let Kept { worker, kernel, session } = kept;
        session.stack_bytes.set(stack_bytes);
        let number = worker.begin(seed, Some(watched));
        let setup = kernel::Setup { number, seed, strategy, bounds, keep, stack_bytes, panics: PANICS };
        let body = move || {
            panics::guarded(body);
        };
        let schedule = session.enter(number, || match stacks {
            Stacks::Fiber => kernel.run(setup, body),
            #[cfg(feature = "shuttle")]
            Stacks::Shuttle => kernel.run_on(super::shuttle::coroutines(), setup, body),
            #[cfg(not(feature = "shuttle"))]
            Stacks::Shuttle => unreachable!("invariant: an engine that is not built in makes no run"),
        });
        let outcome = session.run(|run| run.finish(schedule, worker.take_stray()));
        outcome.unwrap_or_else(|| unreachable!("invariant: a kernel always has a log"))
    })
}
