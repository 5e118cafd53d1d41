//! One run under the kernel, from its setup to its end.
//!
//! The kernel chooses the next task before it requests a switch, so coroutines only perform the switch. Two kinds of
//! coroutines do so, [`fiber`](super::fiber) and [`shuttle`](super::shuttle); this code is common to both.

use std::cell::{OnceCell, RefCell};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use super::kernel::{Bounds, Kernel, Next, TaskTurns};
use super::{KERNEL, fiber, finish, shuttle, with};
use crate::engine::{self, Arm, overflow};
use crate::panics;
use crate::run::{self, Outcome, Record};
use crate::strategy::{Strategy, Switch};
use crate::watch::Watched;

/// The source of the tasks' stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coroutines {
    /// Our own.
    Fiber,
    /// shuttle's, to check ours.
    Shuttle,
}

/// A run to be made.
pub(crate) struct Setup {
    pub(crate) begin: Begin,
    /// Of each task.
    pub(crate) stack_bytes: usize,
    pub(crate) body: Arc<dyn Fn() + Send + Sync>,
}

/// What the kernel must know about the run.
pub(crate) struct Begin {
    pub(crate) seed: u64,
    pub(crate) strategy: Box<dyn Strategy>,
    pub(crate) bounds: Bounds,
    pub(crate) record: Record,
    pub(crate) watched: Watched,
    pub(crate) coroutines: Coroutines,
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    /// The forced switches of a recorded run.
    pub(crate) switches: Vec<Switch>,
    /// The tasks of a recorded run, in the order of creation.
    pub(crate) tasks: Vec<TaskTurns>,
    /// Decisions among more than one candidate.
    pub(crate) choices: u32,
}

thread_local! {
    static BODY: RefCell<Option<Arc<dyn Fn() + Send + Sync>>> = const { RefCell::new(None) };
    static KEPT: Kept = const { Kept(OnceCell::new()) };
}

/// The kernel of this OS thread, kept from its first run on, since an OS thread that makes runs makes many. The kernel
/// itself is leaked once for each thread, so that it is reached without a check; its allocations and the stacks go with
/// the thread.
struct Kept(OnceCell<&'static RefCell<Kernel>>);

impl Kept {
    fn kernel(&self) -> &'static RefCell<Kernel> {
        self.0.get_or_init(|| Box::leak(Box::new(RefCell::new(Kernel::idle()))))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(kernel) = self.0.get() {
            kernel.borrow_mut().free();
        }
        fiber::free();
    }
}

/// Makes one run on this OS thread.
///
/// A run that ends early (a finding, a deadlock, a stall) is abandoned: no stack is unwound, so no destructor runs in a
/// half-finished run, and what the stacks owned is leaked.
pub(crate) fn execute(setup: Setup) -> Ended {
    let Setup { begin, stack_bytes, body } = setup;
    panics::install();
    overflow::install(stack_bytes);
    let coroutines = begin.coroutines;
    let kernel = KEPT.with(Kept::kernel);
    let arm = engine::enter(Arm::Sched);
    kernel.borrow_mut().begin(begin);
    KERNEL.set(Some(kernel));
    run::begin_scheduled(&kernel.borrow().run);
    BODY.set(Some(body));
    panics::guard(true);
    match coroutines {
        Coroutines::Fiber => fiber::execute(stack_bytes),
        Coroutines::Shuttle => shuttle::execute(stack_bytes),
    }
    panics::guard(false);
    drop(BODY.take());
    crate::thread::forget_handles();
    run::end_scheduled();
    KERNEL.set(None);
    drop(arm);
    kernel.borrow_mut().end()
}

/// What the first task does.
pub(super) fn main_task() {
    // Taken, so that the body's captures are dropped with the run and not with the OS thread.
    let body = BODY.take();
    with(Kernel::resume);
    if let Some(body) = body {
        panics::guarded(|| body());
    }
    finish(Location::caller());
}

/// Returns the kernel's decision, or takes one now. Called outside of any task, where a panic of the kernel's own
/// would unwind the engine and the run with it: such a panic ends the run as a bug of the harness.
pub(super) fn next() -> Next {
    let decided = catch_unwind(AssertUnwindSafe(|| {
        with(|kernel| match kernel.pending.take() {
            Some(next) => next,
            None => kernel.decide(),
        })
    }));
    decided.unwrap_or_else(|panic| with(|kernel| kernel.give_up(panics::bug_of(panic.as_ref()))))
}
