//! Our own coroutines: each task runs on a stack of its own, and all of them on one OS thread.
//!
//! The switch itself is corosensei's, a few instructions in either direction. Stacks are kept by the OS thread from run to
//! run: pages are committed as they are touched, once, and below each stack lies a guard page, whose touch
//! [`overflow`](crate::engine::overflow) reports.

use std::cell::{Cell, RefCell};
use std::panic::catch_unwind;
use std::ptr;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::execution::{main_task, next};
use super::kernel::Next;
use super::with;
use crate::op::TaskId;
use crate::panics;

type Fiber = Coroutine<(), (), (), DefaultStack>;

/// The fibers of the run that this OS thread makes, and the stacks that wait for the next.
struct Fibers {
    stack_bytes: usize,
    /// By task; none while the fiber runs, and none of a task that has ended.
    live: Vec<Option<Fiber>>,
    idle: Vec<DefaultStack>,
}

thread_local! {
    static FIBERS: RefCell<Fibers> = const { RefCell::new(Fibers { stack_bytes: 0, live: Vec::new(), idle: Vec::new() }) };
    /// The way out of the fiber that runs.
    static YIELDER: Cell<*const Yielder<(), ()>> = const { Cell::new(ptr::null()) };
}

/// Runs the tasks as the kernel decides, until it says that the run is over.
pub(super) fn execute(stack_bytes: usize) {
    FIBERS.with_borrow_mut(|fibers| {
        if fibers.stack_bytes != stack_bytes {
            fibers.idle.clear();
            fibers.stack_bytes = stack_bytes;
        }
    });
    spawn(main_task);
    // What a task panics with is caught on its own stack; what comes through nevertheless is the harness's own.
    let ran = catch_unwind(|| {
        while let Next::Task(task) = next() {
            resume(task);
        }
    });
    if let Err(panic) = ran {
        with(|kernel| kernel.give_up(panics::bug_of(panic.as_ref())));
    }
    FIBERS.with_borrow_mut(Fibers::abandon);
}

/// Starts the fiber of the next task; the kernel decides when it runs.
pub(super) fn spawn(body: impl FnOnce() + 'static) {
    FIBERS.with_borrow_mut(|fibers| {
        let stack = fibers.stack();
        fibers.live.push(Some(Fiber::with_stack(stack, move |yielder, ()| {
            YIELDER.set(yielder);
            body();
        })));
    });
}

fn resume(task: TaskId) {
    // Out of the list while it runs, since it may start other fibers.
    let fiber = FIBERS.with_borrow_mut(|fibers| fibers.live.get_mut(task.index()).and_then(Option::take));
    let Some(mut fiber) = fiber else { unreachable!("invariant: a task that is chosen has a fiber that is suspended") };
    let result = fiber.resume(());
    FIBERS.with_borrow_mut(|fibers| match result {
        CoroutineResult::Yield(()) => fibers.live[task.index()] = Some(fiber),
        CoroutineResult::Return(()) => fibers.idle.push(fiber.into_stack()),
    });
}

/// Lets the engine go on with the task that the kernel has decided on; returns when this one is chosen again.
#[expect(unsafe_code, reason = "the fiber's way out is kept as a pointer; see the argument at the block")]
pub(super) fn switch() {
    let yielder = YIELDER.get();
    // SAFETY: only the code of a running fiber comes here. Each fiber sets `YIELDER` to its own yielder when it begins and
    // again whenever it goes on, so the pointer is that of this very fiber; the yielder lies at the base of its stack, and
    // lives as long as the fiber has not ended.
    unsafe { (*yielder).suspend(()) };
    YIELDER.set(yielder);
}

impl Fibers {
    fn stack(&mut self) -> DefaultStack {
        match self.idle.pop() {
            Some(stack) => stack,
            None => match DefaultStack::new(self.stack_bytes) {
                Ok(stack) => stack,
                Err(error) => panic!("a stack of {} bytes cannot be had: {error}", self.stack_bytes),
            },
        }
    }

    /// Takes the stacks back of the tasks that the run leaves unfinished.
    #[expect(unsafe_code, reason = "a task is left in the middle of its code; see the argument at the block")]
    fn abandon(&mut self) {
        for mut fiber in self.live.drain(..).flatten() {
            // SAFETY: the fiber is never resumed, so nothing on its stack is used by itself any more. What lies there is
            // leaked, not dropped; it belongs to a run that is over, none of whose code runs again, and its facade objects
            // refuse to be used in another run. What other safe code may hold of it, in a static, is left dangling: the
            // same that shuttle accepts for its executions that fail.
            unsafe { fiber.force_reset() };
            self.idle.push(fiber.into_stack());
        }
    }
}
