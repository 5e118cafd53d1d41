//! The kernel's coroutines: each task has its own stack, and all tasks share one OS thread.
//!
//! A task that suspends jumps to the next one. The stacks are kept from run to run: pages are committed once, when they
//! are touched, and below each stack is a guard page. A task that rests between its turns, such as the task of a
//! future, has no stack while it rests.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::ptr::NonNull;

use crate::record::TaskId;
use crate::run::Next;
use crate::switch::{Code, Home, Memory};

/// Size in bytes of the largest body that is moved to its stack.
const MOVED_BYTES_MAX: usize = 512;

/// Executes the next turn of a task that has no stack between its turns. Must not unwind.
type Resting = Box<dyn FnMut() -> Turned>;

/// The end of a turn.
pub(crate) struct Turned {
    /// The task waits for its next turn.
    pub(crate) rests: bool,
    /// The decision after the turn.
    pub(crate) next: Next,
}

/// A stack with its code, at a fixed address, since suspended code and the code that suspends point to it.
#[derive(Clone, Copy)]
struct Stack(NonNull<Code>);

impl Stack {
    fn new(code: Code) -> Stack {
        Stack(NonNull::from(Box::leak(Box::new(code))))
    }

    #[inline]
    #[expect(unsafe_code, reason = "see the argument at the block")]
    fn code<'a>(self) -> &'a Code {
        // SAFETY: only `free` frees a stack, after the stack was removed from an idle list. It is in one list once, and
        // no other copy of an idle stack is used.
        unsafe { self.0.as_ref() }
    }

    #[expect(unsafe_code, reason = "see the argument at the block")]
    fn free(self) {
        // SAFETY: the pointer is that of the box in `new`. The stack was idle, so no code runs or is suspended on it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// The fibers of the run, and the free stacks for the next one.
pub(crate) struct Fibers {
    stacks: RefCell<Stacks>,
    /// The task whose code runs.
    running: Cell<TaskId>,
    /// The stack of that code; `None` outside a run.
    current: Cell<Option<Stack>>,
    home: Home,
    /// This object itself, for the code at the base of each stack.
    this: Cell<Option<&'static Fibers>>,
}

impl Default for Fibers {
    fn default() -> Fibers {
        Fibers {
            stacks: RefCell::default(),
            running: Cell::new(TaskId::MAIN),
            current: Cell::new(None),
            home: Home::default(),
            this: Cell::new(None),
        }
    }
}

#[derive(Default)]
struct Stacks {
    stack_bytes: usize,
    /// Number of stacks allocated since `stack_bytes` changed.
    made: usize,
    /// By task number; `None` for a task that rests or has ended.
    live: Vec<Option<Stack>>,
    idle: Vec<Stack>,
    /// Idle stacks of other sizes, for tasks that request a larger one.
    large: Vec<Stack>,
    /// By task number: the turns of the tasks that rest. May be shorter than `live`.
    resting: Vec<Option<Resting>>,
}

impl fmt::Debug for Fibers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fibers").finish_non_exhaustive()
    }
}

impl Fibers {
    /// Runs `main`, and then each task that a decision names, until the run is over. `main` returns the decision after
    /// its end, and must not unwind.
    #[expect(unsafe_code, reason = "leaves the OS thread's own stack; see the argument at the block")]
    pub(crate) fn run(&'static self, stack_bytes: usize, main: impl FnOnce() -> Next + 'static) {
        self.this.set(Some(self));
        self.running.set(TaskId::MAIN);
        self.stacks.borrow_mut().take_stacks_of(stack_bytes);
        self.start(stack_bytes, main);
        let main = self.stacks.borrow().live[TaskId::MAIN.index()];
        let Some(main) = main else { unreachable!("invariant: the first task has been started") };
        self.current.set(Some(main));
        // SAFETY: this is the OS thread's own code, and the task was started in the line above.
        unsafe { self.home.leave(main.code()) };
        // The stack becomes idle below, and may be freed.
        self.current.set(None);
        self.stacks.borrow_mut().abandon();
    }

    /// Creates the fiber of the newest task, with a stack of at least this size. The kernel decides when it runs.
    /// `body` returns the decision after its end, and must not unwind.
    pub(crate) fn start<F: FnOnce() -> Next + 'static>(&self, stack_bytes: usize, body: F) {
        let stack = if size_of::<F>() <= MOVED_BYTES_MAX {
            self.on_stack(stack_bytes, move || (None, body()))
        } else {
            let body = Box::new(body);
            self.on_stack(stack_bytes, move || (None, body()))
        };
        self.stacks.borrow_mut().live.push(Some(stack));
    }

    /// Ensures that an idle stack exists for the next fiber with a stack of this size.
    pub(crate) fn reserve(&self, stack_bytes: usize) -> io::Result<()> {
        let mut stacks = self.stacks.borrow_mut();
        let stack = stacks.free(stack_bytes)?;
        stacks.keep(stack);
        Ok(())
    }

    /// Puts `body` on a free stack. `body` returns the task's further turns, if the task rests, and the next decision.
    #[expect(unsafe_code, reason = "gives a stack to new code; see the argument at the block")]
    fn on_stack(&self, bytes: usize, body: impl FnOnce() -> (Option<Resting>, Next) + 'static) -> Stack {
        let stack = match self.stacks.borrow_mut().free(bytes) {
            Ok(stack) => stack,
            Err(error) => panic!("a stack of {bytes} bytes cannot be allocated: {error}"),
        };
        let Some(this) = self.this.get() else { unreachable!("invariant: only a run has fibers") };
        // SAFETY: the stack was free: its code has ended, or belongs to a run that was abandoned. The bodies of tasks
        // do not unwind, and `ends` does not return.
        unsafe {
            stack.code().begin(move || {
                let (turns, next) = body();
                this.ends(turns, next);
            });
        }
        stack
    }

    /// Ends the code of the running task on this stack, and carries out `next`. Does not return.
    #[expect(unsafe_code, reason = "leaves a stack for the last time; see the argument at the block")]
    fn ends(&self, mut turns: Option<Resting>, mut next: Next) -> ! {
        loop {
            let mut stacks = self.stacks.borrow_mut();
            let me = self.running.get();
            if let Some(turns) = turns.take() {
                stacks.rest(me, turns);
            }
            let Some(stack) = stacks.live[me.index()].take() else {
                unreachable!("invariant: a task that runs has a stack")
            };
            if let Next::Task(task) = next
                && let Some(mut turn) = stacks.rouse(task)
            {
                // This stack is free, so it executes the turn.
                stacks.live[task.index()] = Some(stack);
                drop(stacks);
                self.running.set(task);
                let turned = turn();
                (turns, next) = (turned.rests.then_some(turn), turned.next);
                continue;
            }
            // Nothing is put on this stack before it is left: no code runs in between.
            stacks.keep(stack);
            drop(stacks);
            // SAFETY: the code of `stack` runs; `carry_out` has the same contract.
            unsafe { self.carry_out(stack.code(), next) };
            unreachable!("invariant: nothing switches to a stack that was left for the last time");
        }
    }

    /// Leaves the stack of the running code for the task that was chosen, or for the OS thread's own.
    ///
    /// # Safety
    /// `from` must be the code that runs.
    #[inline]
    #[expect(unsafe_code, reason = "switches; see the arguments at the blocks")]
    unsafe fn carry_out(&self, from: &Code, next: Next) {
        let Next::Task(task) = next else {
            // SAFETY: `from` runs, says the caller, and a run begins by leaving home.
            return unsafe { from.go_home(&self.home) };
        };
        let to = self.stacks.borrow().live[task.index()];
        let to = to.unwrap_or_else(|| self.on_new_stack(task));
        self.running.set(task);
        self.current.set(Some(to));
        // SAFETY: `from` runs, says the caller. A live stack other than that of the running task holds code that has
        // not begun, or that was suspended below.
        unsafe { from.switch(to.code()) };
    }

    /// Registers the turns of the newest task, which rests before its first turn. The kernel decides when it runs.
    pub(crate) fn start_resting(&self, task: TaskId, turns: Resting) {
        let mut stacks = self.stacks.borrow_mut();
        stacks.live.push(None);
        stacks.rest(task, turns);
    }

    /// Gives a task that rests a stack for its next turn.
    #[inline(never)]
    fn on_new_stack(&self, task: TaskId) -> Stack {
        let turn = self.stacks.borrow_mut().rouse(task);
        let Some(mut turn) = turn else { unreachable!("invariant: a task that is chosen is suspended") };
        let stack = self.on_stack(0, move || {
            let Turned { rests, next } = turn();
            (rests.then_some(turn), next)
        });
        self.stacks.borrow_mut().live[task.index()] = Some(stack);
        stack
    }

    /// Switches to the task that was chosen; returns when this task is chosen again.
    #[inline]
    #[expect(unsafe_code, reason = "switches; see the argument at the block")]
    pub(crate) fn switch(&self, next: Next) {
        let Some(me) = self.current.get() else { unreachable!("invariant: a task that runs has a stack") };
        // SAFETY: only a task's own code switches, and it is the running one.
        unsafe { self.carry_out(me.code(), next) };
    }

    /// Returns the idle stacks to the system.
    pub(crate) fn free(&self) {
        self.stacks.borrow_mut().free_idle();
    }
}

impl Stacks {
    fn take_stacks_of(&mut self, bytes: usize) {
        if self.stack_bytes != bytes {
            self.free_idle();
            (self.stack_bytes, self.made) = (bytes, 0);
        }
    }

    fn free_idle(&mut self) {
        self.idle.drain(..).chain(self.large.drain(..)).for_each(Stack::free);
    }

    fn free(&mut self, bytes: usize) -> io::Result<Stack> {
        let bytes = bytes.max(self.stack_bytes);
        let known = if bytes == self.stack_bytes {
            self.idle.pop()
        } else {
            self.large.iter().position(|stack| stack.code().bytes() == bytes).map(|nth| self.large.swap_remove(nth))
        };
        known.map_or_else(|| self.make(bytes), Ok)
    }

    #[cold]
    fn make(&mut self, bytes: usize) -> io::Result<Stack> {
        let memory = Memory::new(bytes, self.made)?;
        self.made += 1;
        Ok(Stack::new(Code::new(memory)))
    }

    /// Keeps a stack for another task.
    fn keep(&mut self, stack: Stack) {
        let list = if stack.code().bytes() == self.stack_bytes { &mut self.idle } else { &mut self.large };
        list.push(stack);
    }

    fn rest(&mut self, task: TaskId, turns: Resting) {
        if self.resting.len() <= task.index() {
            self.resting.resize_with(task.index() + 1, || None);
        }
        self.resting[task.index()] = Some(turns);
    }

    /// Removes and returns the turns of a task that rests.
    fn rouse(&mut self, task: TaskId) -> Option<Resting> {
        self.resting.get_mut(task.index()).and_then(Option::take)
    }

    /// Recovers the stacks of the tasks that the run leaves unfinished.
    ///
    /// Their code never runs again, so the values on the stacks are leaked, not dropped; they belong to a run that is
    /// over, and its facade objects refuse to be used in another run. An object that outlives the run with a pointer
    /// into a stack dangles: a static, one of std's scoped threads, a list outside the body. docs/limits.md names them;
    /// shuttle accepts the same for executions that fail.
    fn abandon(&mut self) {
        // Leaked as well.
        self.resting.drain(..).for_each(std::mem::forget);
        let mut live = std::mem::take(&mut self.live);
        live.drain(..).flatten().for_each(|stack| self.keep(stack));
        self.live = live;
    }
}
