//! One run under the kernel, from its setup to its end.
//!
//! The kernel decides which task goes on before it asks for a switch, so coroutines only carry out what was decided. Two
//! sources of them do that, [`fiber`](super::fiber) and [`shuttle`](super::shuttle), and this is what both share.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use super::kernel::{Bounds, Kernel, Next, Spare, TaskTurns};
use super::{KERNEL, fiber, finish, shuttle, with};
use crate::engine::{self, Arm, overflow};
use crate::panics;
use crate::run::{self, Outcome, Record, Run};
use crate::strategy::{Strategy, Switch};
use crate::watch::Watched;

/// Where the stacks of tasks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coroutines {
    /// Our own.
    Fiber,
    /// shuttle's, to check ours against.
    Shuttle,
}

/// One run to be.
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) strategy: Box<dyn Strategy>,
    pub(crate) bounds: Bounds,
    pub(crate) record: Record,
    pub(crate) watched: Watched,
    pub(crate) coroutines: Coroutines,
    /// Of each task.
    pub(crate) stack_bytes: usize,
    pub(crate) body: Arc<dyn Fn() + Send + Sync>,
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
    static SPARE: RefCell<Spare> = RefCell::new(Spare::default());
}

/// Makes one run on this OS thread.
///
/// A run that ends early (a finding, a deadlock, a stall) is abandoned: no stack is unwound, so no destructor runs in a
/// half-finished run, and what the stacks owned is leaked.
pub(crate) fn execute(setup: Setup) -> Ended {
    panics::install();
    overflow::install(setup.stack_bytes);
    let _arm = engine::enter(Arm::Sched);
    let is_recorded = setup.record != Record::Hash;
    let run = Run::new(setup.seed, setup.record, Some(&setup.watched), None);
    run::begin_scheduled(&run);
    let mut kernel = Kernel::new(run, setup.strategy, setup.bounds, is_recorded, SPARE.take());
    kernel.coroutines = setup.coroutines;
    KERNEL.set(Some(Box::new(kernel)));
    BODY.set(Some(setup.body));
    panics::guard(true);
    match setup.coroutines {
        Coroutines::Fiber => fiber::execute(setup.stack_bytes),
        Coroutines::Shuttle => shuttle::execute(setup.stack_bytes),
    }
    panics::guard(false);
    BODY.take();
    crate::thread::forget_handles();
    run::end();
    let Some(mut kernel) = KERNEL.take() else { unreachable!("invariant: the kernel that was begun above is there") };
    let (quiescent, choices) = (!kernel.halted, kernel.choices);
    let tasks = if is_recorded { kernel.turns() } else { Vec::new() };
    let switches = kernel.switches.take().unwrap_or_default();
    let (run, spare) = kernel.end();
    SPARE.set(spare);
    Ended { outcome: run.finish(quiescent), switches, tasks, choices }
}

/// What the first task does.
pub(super) fn main_task() {
    // Taken, so that what the body captured goes with the run and not with the OS thread.
    let body = BODY.take();
    with(Kernel::resume);
    if let Some(body) = body {
        panics::guarded(|| body());
    }
    finish(Location::caller());
}

/// What the kernel decided, or decides now. Called outside of any task, where a panic of the kernel's own would unwind
/// the engine and the run with it: such a panic ends the run as a bug of the harness.
pub(super) fn next() -> Next {
    let decided = catch_unwind(AssertUnwindSafe(|| {
        with(|kernel| match kernel.pending.take() {
            Some(next) => next,
            None => kernel.decide(),
        })
    }));
    decided.unwrap_or_else(|panic| with(|kernel| kernel.give_up(panics::bug_of(panic.as_ref()))))
}
