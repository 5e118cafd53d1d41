//! The kernel of an OS thread: a run from its setup to its end, and the path of an operation.
//!
//! The next task is chosen before a switch is requested: if the current task continues, there is no switch.

use std::any::Any;
use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;

use crate::fiber::Fibers;
use crate::record::{Item, Log, ObjectId, Op, OpKind, Progress, TaskId};
use crate::run::{Ended, Next, PanicCount, Setup};
use crate::state::{Permission, State};
use crate::task::Need;

/// Another source of coroutines (stacks, and switches between them), to check the kernel's own in `fiber`. It must
/// follow the same decisions, so that a run has the same trace on both.
pub trait Coroutines: fmt::Debug + Sync {
    /// Runs [`Kernel::main_task`] on a stack of this size, and each task as [`Kernel::next`] decides, until it returns
    /// no task.
    fn execute(&self, kernel: &'static Kernel, stack_bytes: usize);

    /// Creates a stack for the newest task. The current task continues.
    fn spawn(&self, body: Box<dyn FnOnce()>, location: &'static Location<'static>);

    /// Switches to the task that [`Kernel::next`] returns. Returns when the current task is chosen again.
    fn switch(&self);
}

/// Executes runs on one OS thread, one after the other, and keeps allocations and stacks between them.
pub struct Kernel {
    pub(crate) state: RefCell<State>,
    pub(crate) fibers: Fibers,
    /// The source of coroutines of this run; `None`: the kernel's own.
    pub(crate) coroutines: Cell<Option<&'static dyn Coroutines>>,
    /// Access to the OS thread's panic count, by which each task gets its own count; `None`: all tasks share the count.
    pub(crate) panic_count: Option<PanicCount>,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").finish_non_exhaustive()
    }
}

impl Kernel {
    /// A kernel for this OS thread, whose runs publish their progress.
    pub fn new(progress: Arc<Progress>) -> Kernel {
        Kernel {
            state: RefCell::new(State::idle(Log::new(progress))),
            fibers: Fibers::default(),
            coroutines: Cell::new(None),
            panic_count: None,
        }
    }

    /// Executes one run, whose first task is `body`. `body`, and the bodies of the tasks that it spawns, must catch
    /// their own panics.
    ///
    /// A run that ends early (a finding, a deadlock, a stall) is abandoned: no stack is unwound, so no destructor runs
    /// in a half-finished run, and the values on the stacks are leaked.
    pub fn run(&'static self, setup: Setup, body: impl FnOnce() + 'static) -> Ended {
        let stack_bytes = setup.stack_bytes;
        self.coroutines.set(None);
        self.state.borrow_mut().begin(setup);
        // The first decision is that the only task runs.
        if self.decided(|| self.state.borrow_mut().decide()) == Next::Task(TaskId::MAIN) {
            self.fibers.run(stack_bytes, move || self.after(|| self.first_task(body)));
        }
        self.state.borrow_mut().end()
    }

    /// Like [`Kernel::run`], on another source of coroutines.
    pub fn run_on(
        &'static self,
        coroutines: &'static dyn Coroutines,
        setup: Setup,
        body: impl FnOnce() + 'static,
    ) -> Ended {
        let stack_bytes = setup.stack_bytes;
        self.coroutines.set(Some(coroutines));
        self.state.borrow_mut().begin(setup);
        self.state.borrow_mut().main = Some(Box::new(body));
        coroutines.execute(self, stack_bytes);
        self.state.borrow_mut().end()
    }

    /// The code of the first task, for another source of coroutines.
    pub fn main_task(&'static self) {
        let body = self.state.borrow_mut().main.take();
        if let Some(body) = body {
            self.first_task(body);
        }
    }

    fn first_task(&'static self, body: impl FnOnce()) {
        body();
        self.finish(Location::caller());
    }

    /// The decision that was taken before the last switch, or a new one. For another source of coroutines.
    pub fn next(&self) -> Next {
        self.decided(|| {
            let mut state = self.state.borrow_mut();
            match state.pending.take() {
                Some(next) => next,
                None => state.decide(),
            }
        })
    }

    /// Makes the next call of [`Kernel::next`] return the current task, for a source of coroutines whose spawn
    /// switches.
    pub fn stay(&self) {
        let mut state = self.state.borrow_mut();
        state.pending = Some(Next::Task(state.log.task));
    }

    /// Takes a decision outside of any task, or after a task's last code. A panic of the kernel there would unwind the
    /// run; it ends the run as a bug of the harness instead.
    fn decided(&self, decide: impl FnOnce() -> Next) -> Next {
        catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|panic| self.give_up(panic.as_ref()))
    }

    /// Runs the last code of a task or of a turn, and returns the next decision. `code` catches the task's own panics.
    pub(crate) fn after(&self, code: impl FnOnce()) -> Next {
        self.decided(|| {
            code();
            self.last_decision()
        })
    }

    /// The decision after a task's last code. Not inlined, since each body of a task has its own copy of the caller.
    #[inline(never)]
    fn last_decision(&self) -> Next {
        self.state.borrow_mut().decide()
    }

    fn give_up(&self, panic: &(dyn Any + Send)) -> Next {
        let mut state = self.state.borrow_mut();
        let void = (state.panics.bug_of)(panic);
        state.give_up(void)
    }

    /// Frees the stacks, and the memory that runs have allocated. Called when the OS thread executes no more runs.
    pub fn free(&self) {
        self.state.borrow_mut().free();
        self.fibers.free();
    }

    /// The log of the run.
    ///
    /// # Panics
    /// If it is called from within itself.
    #[inline]
    pub fn log<R>(&self, with: impl FnOnce(&mut Log) -> R) -> R {
        with(&mut self.state.borrow_mut().log)
    }

    /// Registers an object.
    #[inline]
    pub fn new_object(&self, label: &'static str) -> ObjectId {
        let mut state = self.state.borrow_mut();
        state.objects.add();
        state.log.add_object(label)
    }

    /// Announces `op`, lets the strategy decide, and returns the result of `effect` when the task may perform it.
    /// Returns `None`, and does nothing, if the run is over.
    ///
    /// A destructor that runs while a panic unwinds must not switch, since every task would see the panic: its
    /// operation happens at once, as part of the previous step. A destructor that would have to wait cannot continue.
    #[inline]
    pub(crate) fn enter<R>(&self, op: Op, need: Need, effect: impl FnOnce(&mut State) -> R) -> Option<R> {
        self.enter_as(op, need, false, effect)
    }

    /// Like [`Kernel::enter`], for an operation that always changes what other tasks see.
    #[inline]
    pub(crate) fn enter_writing<R>(&self, op: Op, effect: impl FnOnce(&mut State) -> R) -> Option<R> {
        self.enter_as(op, Need::Nothing, true, effect)
    }

    #[inline]
    fn enter_as<R>(&self, mut op: Op, need: Need, changes: bool, effect: impl FnOnce(&mut State) -> R) -> Option<R> {
        let mut state = self.state.borrow_mut();
        op.location = state.log.place(op.location);
        let go = if self.is_unwinding() { state.pass(op, need) } else { state.arrive(op, need, changes) };
        if go != Permission::Stay {
            let Permission::Switch(next) = go else { return refuse(state, go, op.kind) };
            state = self.leave(state, next);
        }
        state.log.operated_at(op);
        Some(effect(&mut state))
    }

    /// Suspends the current task and carries out `next`. Returns when this task is chosen again.
    #[inline]
    fn leave<'a>(&'a self, mut state: RefMut<'a, State>, next: Next) -> RefMut<'a, State> {
        match self.coroutines.get() {
            None => {
                drop(state);
                self.with_cleared_panic_count(|| self.fibers.switch(next));
            }
            Some(other) => {
                state.pending = Some(next);
                drop(state);
                other.switch();
            }
        }
        self.state.borrow_mut()
    }

    /// Suspends the current task, which must wait, until it is chosen again.
    pub(crate) fn block_current(&self, on: ObjectId, location: &'static Location<'static>) {
        let mut state = self.blocked(on, location);
        if let Permission::Switch(next) = state.go() {
            let _state = self.leave(state, next);
        }
    }

    /// Records that the current task must wait. Its turn ends before the next decision.
    pub(crate) fn rests(&self, on: ObjectId, location: &'static Location<'static>) {
        let _state = self.blocked(on, location);
    }

    fn blocked(&self, on: ObjectId, location: &'static Location<'static>) -> RefMut<'_, State> {
        let mut state = self.state.borrow_mut();
        if self.is_unwinding() {
            stuck(state, "waits");
        }
        state.log.record(Item::Blocked { on }, location);
        state
    }

    /// A scheduling point of an operation that never blocks.
    #[inline]
    pub fn point(&self, op: Op) {
        self.enter(op, Need::Nothing, |_| ());
    }

    /// Ends the run here; the task is not resumed. Returns only if the run was already over.
    pub fn stop_here(&self) {
        let mut state = self.state.borrow_mut();
        if !std::mem::replace(&mut state.halted, true) {
            let _state = self.leave(state, Next::Halt);
        }
    }
}

/// Refuses the operation of a task that cannot continue.
#[cold]
fn refuse<R>(state: RefMut<'_, State>, go: Permission, kind: OpKind) -> Option<R> {
    if go == Permission::Stuck {
        stuck(state, &format!("waits ({kind})"));
    }
    None
}

#[cold]
fn stuck(state: RefMut<'_, State>, what: &str) -> ! {
    let panics = state.panics;
    // The report reads the log.
    drop(state);
    (panics.stuck)(what)
}
