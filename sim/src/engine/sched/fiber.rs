//! Our own coroutines: each task runs on a stack of its own, and all of them on one OS thread.
//!
//! corosensei performs the switch, a few instructions in either direction. The OS thread keeps the stacks from run to
//! run: pages are committed once, when they are touched, and below each stack is a guard page;
//! [`overflow`](crate::engine::overflow) reports a touch of it.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::execution::{main_task, next};
use super::kernel::Next;
use super::with;
use crate::op::TaskId;
use crate::panics;

/// It yields the kernel's decision, if already taken, for the loop below to carry out.
type Fiber = Coroutine<(), Option<Next>, (), DefaultStack>;

/// The fibers of the run that this OS thread makes, and the free stacks for the next one.
struct Fibers {
    stack_bytes: usize,
    /// By task; none while the fiber runs, and none for a task that has ended.
    live: Vec<Option<Fiber>>,
    idle: Vec<DefaultStack>,
}

thread_local! {
    /// The fibers of this OS thread. The list itself is leaked once for each thread, so that it is reached without a
    /// check.
    static FIBERS: Cell<Option<&'static RefCell<Fibers>>> = const { Cell::new(None) };
    /// The yielder of the fiber that runs.
    static YIELDER: Cell<*const Yielder<(), Option<Next>>> = const { Cell::new(ptr::null()) };
}

fn fibers() -> &'static RefCell<Fibers> {
    if let Some(fibers) = FIBERS.get() {
        return fibers;
    }
    let fibers = Box::leak(Box::new(RefCell::new(Fibers { stack_bytes: 0, live: Vec::new(), idle: Vec::new() })));
    FIBERS.set(Some(fibers));
    fibers
}

/// Gives the stacks back to the system: their OS thread makes no more runs.
pub(super) fn free() {
    if let Some(fibers) = FIBERS.get() {
        fibers.borrow_mut().idle = Vec::new();
    }
}

/// Runs the tasks as the kernel decides, until it says that the run is over.
pub(super) fn execute(stack_bytes: usize) {
    let fibers = fibers();
    fibers.borrow_mut().take_stacks_of(stack_bytes);
    spawn(main_task);
    // A task's panic is caught on its own stack; a panic that arrives here is the harness's own.
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut decided = None;
        while let Next::Task(task) = decided.take().unwrap_or_else(next) {
            decided = resume(fibers, task);
        }
    }));
    if let Err(panic) = ran {
        with(|kernel| kernel.give_up(panics::bug_of(panic.as_ref())));
    }
    fibers.borrow_mut().abandon();
}

/// Starts the fiber of the next task; the kernel decides when it runs.
pub(super) fn spawn(body: impl FnOnce() + 'static) {
    let mut fibers = fibers().borrow_mut();
    let stack = fibers.stack();
    fibers.live.push(Some(Fiber::with_stack(stack, move |yielder, ()| {
        YIELDER.set(yielder);
        body();
    })));
}

fn resume(fibers: &RefCell<Fibers>, task: TaskId) -> Option<Next> {
    // Removed from the list while it runs, since it may start other fibers.
    let fiber = fibers.borrow_mut().live.get_mut(task.index()).and_then(Option::take);
    let Some(mut fiber) = fiber else { unreachable!("invariant: a task that is chosen has a fiber that is suspended") };
    let result = fiber.resume(());
    let mut fibers = fibers.borrow_mut();
    match result {
        CoroutineResult::Yield(decided) => {
            fibers.live[task.index()] = Some(fiber);
            decided
        }
        CoroutineResult::Return(()) => {
            fibers.idle.push(fiber.into_stack());
            None
        }
    }
}

/// Switches to the task that the kernel has chosen; returns when this task is chosen again.
#[expect(unsafe_code, reason = "the fiber's way out is kept as a pointer; see the argument at the block")]
pub(super) fn switch(decided: Option<Next>) {
    let yielder = YIELDER.get();
    // SAFETY: only the code of a running fiber comes here. Each fiber sets `YIELDER` to its own yielder when it begins
    // and again whenever it resumes, so the pointer is that of this very fiber; the yielder lies at the base of its
    // stack, and lives as long as the fiber has not ended.
    unsafe { (*yielder).suspend(decided) };
    YIELDER.set(yielder);
}

impl Fibers {
    fn take_stacks_of(&mut self, bytes: usize) {
        if self.stack_bytes != bytes {
            self.idle.clear();
            self.stack_bytes = bytes;
        }
    }

    fn stack(&mut self) -> DefaultStack {
        match self.idle.pop() {
            Some(stack) => stack,
            None => match DefaultStack::new(self.stack_bytes) {
                Ok(stack) => stack,
                Err(error) => panic!("a stack of {} bytes cannot be had: {error}", self.stack_bytes),
            },
        }
    }

    /// Recovers the stacks of the tasks that the run leaves unfinished.
    #[expect(unsafe_code, reason = "a task is left in the middle of its code; see the argument at the block")]
    fn abandon(&mut self) {
        for mut fiber in self.live.drain(..).flatten() {
            // SAFETY: the fiber is never resumed, so its own code uses nothing on its stack any more. The values there
            // are leaked, not dropped; they belong to a run that is over, whose code does not run again, and its
            // facade objects refuse to be used in another run. A pointer into the stack that other safe code kept in a
            // static is left dangling, which shuttle accepts too for executions that fail.
            unsafe { fiber.force_reset() };
            self.idle.push(fiber.into_stack());
        }
    }
}
