//! shuttle below the kernel: coroutines, switching, teardown.
//!
//! The kernel has decided before a switch is asked for, so shuttle's scheduler only hands that decision on. A run that
//! ends early (a finding, a deadlock, a stall) is stopped by giving shuttle no task: it abandons the execution without
//! unwinding any stack, so that no destructor runs in a half-finished run. What such a stack owned is leaked; there is
//! one per finding.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId as ShuttleTaskId};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use shuttle_engine::runtime::execution::ExecutionState;

use super::kernel::{Bounds, Kernel, Next, TaskTurns};
use super::{KERNEL, finish, resume, with};
use crate::engine::{self, Arm, overflow};
use crate::panics;
use crate::run::{self, Outcome, Record, Run};
use crate::strategy::{Strategy, Switch};
use crate::watch::Watched;

/// One run to be.
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) strategy: Box<dyn Strategy>,
    pub(crate) bounds: Bounds,
    pub(crate) record: Record,
    pub(crate) watched: Watched,
    pub(crate) body: Arc<dyn Fn() + Send + Sync>,
}

/// Where a batch gets its runs from, and gives their outcomes to.
pub(crate) trait Source {
    fn next(&mut self) -> Option<Setup>;
    fn finished(&mut self, ended: Ended);
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    /// The forced switches of a recorded run.
    pub(crate) switches: Vec<Switch>,
    /// The tasks, in the order of creation.
    pub(crate) tasks: Vec<TaskTurns>,
    /// Decisions among more than one candidate.
    pub(crate) choices: u32,
}

/// Runs everything the source offers, on this OS thread, with one pool of stacks of this size. Pages are committed as they
/// are touched, and stacks are reused from run to run.
pub(crate) fn run_batch(source: Box<dyn Source>, stack_bytes: usize) {
    panics::install();
    overflow::install(stack_bytes);
    STACK_BYTES.set(stack_bytes);
    let _arm = engine::enter(Arm::Sched);
    let mut config = Config::new();
    config.stack_size = stack_bytes;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::None;
    config.silence_warnings = true;
    Runner::new(Handover { source, running: false }, config).run(main_task);
}

fn main_task() {
    // Taken, so that what the body captured goes with the run and not with the OS thread.
    let body = BODY.take();
    resume();
    if let Some(body) = body {
        panics::guarded(|| body());
    }
    finish(Location::caller());
}

thread_local! {
    static STACK_BYTES: Cell<usize> = const { Cell::new(0) };
    static BODY: RefCell<Option<Arc<dyn Fn() + Send + Sync>>> = const { RefCell::new(None) };
}

/// Asks shuttle for the switch that the kernel has decided.
pub(super) fn switch() {
    shuttle_engine::runtime::thread::switch();
}

pub(super) fn spawn(body: Box<dyn FnOnce()>, location: &'static Location<'static>) {
    ExecutionState::spawn_thread(body, STACK_BYTES.get(), None, None, location);
}

/// Hands the kernel's decisions to shuttle.
struct Handover {
    source: Box<dyn Source>,
    running: bool,
}

impl Handover {
    fn close_run(&mut self) {
        if !std::mem::take(&mut self.running) {
            return;
        }
        panics::guard(false);
        BODY.take();
        crate::thread::forget_handles();
        let kernel = KERNEL.with_borrow_mut(Option::take);
        if let (Some(kernel), Some(run)) = (kernel, run::end()) {
            let (tasks, choices) = (kernel.turns(), kernel.choices);
            let outcome = run.finish(!kernel.halted);
            self.source.finished(Ended { outcome, switches: kernel.switches.unwrap_or_default(), tasks, choices });
        }
    }
}

impl Scheduler for Handover {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.close_run();
        let setup = self.source.next()?;
        run::begin(Run::new(setup.seed, setup.record, Some(&setup.watched), None));
        let kernel = Kernel::new(setup.strategy, setup.bounds, setup.record != Record::Hash);
        KERNEL.set(Some(kernel));
        BODY.set(Some(setup.body));
        self.running = true;
        panics::guard(true);
        Some(Schedule::new(setup.seed))
    }

    fn next_task(&mut self, runnable: &[&Task], _: Option<ShuttleTaskId>, _: bool) -> Option<ShuttleTaskId> {
        // Outside of any task: a panic of the kernel's would unwind shuttle, and the run with it.
        let decided = catch_unwind(AssertUnwindSafe(|| {
            with(|kernel| match kernel.pending.take() {
                Some(next) => next,
                None => kernel.decide(),
            })
        }));
        match decided.unwrap_or_else(|panic| with(|kernel| kernel.give_up(panics::bug_of(panic.as_ref())))) {
            Next::Task(task) => Some(ShuttleTaskId::from(task.index())),
            // Every body has ended; shuttle still has to see its main thread return.
            Next::Finished => runnable.first().map(|task| task.id()),
            Next::Halt => None,
        }
    }

    fn next_u64(&mut self) -> u64 {
        with(|kernel| kernel.strategy.draw())
    }
}
