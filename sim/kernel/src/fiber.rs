//! The kernel's own coroutines: each task runs on a stack of its own, and all of them on one OS thread.
//!
//! corosensei performs the switch, a few instructions in either direction. The stacks are kept from run to run: pages
//! are committed once, when they are touched, and below each stack is a guard page.
//!
//! All unsafe code that switches stacks is in this file.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use corosensei::stack::{DefaultStack, Stack, StackPointer};
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::record::TaskId;
use crate::run::Next;

/// Size in bytes of the largest body that is moved to its stack.
const MOVED_BYTES_MAX: usize = 512;

/// A coroutine that yields the kernel's decisions to the loop of [`Fibers::run`]. It returns the task that rests,
/// and none at the end of a task.
type Fiber = Coroutine<(), Next, Option<Resting>, Shifted>;

/// A task that has no stack between its turns: makes one turn, and returns whether the task waits for the next.
type Resting = Box<dyn FnMut() -> bool>;

/// A stack that begins below the end of its memory.
///
/// Stacks are aligned to pages. If all began at the same place of a page, the frames in which tasks wait would lie in
/// the same few sets of the processor's first cache, and many tasks would evict each other's at every switch.
struct Shifted {
    stack: DefaultStack,
    base: StackPointer,
}

/// The memory that shifts use; a page.
const SHIFTS_BYTES: usize = 4096;

/// The distance from one stack's shift to the next one's: a kilobyte, about the size of the frames of a waiting task,
/// and a cache line, so that many stacks begin in different sets.
const SHIFT_BYTES: usize = 1024 + 64;

impl Shifted {
    /// A stack of this size, whose shift depends on its number.
    fn new(bytes: usize, number: usize) -> io::Result<Shifted> {
        let stack = DefaultStack::new(bytes + SHIFTS_BYTES)?;
        let shift = number * SHIFT_BYTES % SHIFTS_BYTES;
        let Some(base) = StackPointer::new(stack.base().get() - shift) else {
            unreachable!("invariant: a stack is larger than its shift")
        };
        Ok(Shifted { stack, base })
    }
}

// SAFETY: the memory and its guard page are those of corosensei's stack. The base lies less than `SHIFTS_BYTES` below
// its end, by a multiple of 64, so it stays aligned, and the part below it has at least the size that was asked for.
#[expect(unsafe_code, reason = "a stack's place is a promise to the code that switches; see the argument above")]
unsafe impl Stack for Shifted {
    #[inline]
    fn base(&self) -> StackPointer {
        self.base
    }

    fn limit(&self) -> StackPointer {
        self.stack.limit()
    }
}

/// A stack, and the fiber that runs on it. It is boxed, since it moves between lists at every switch.
struct Place {
    fiber: Option<Fiber>,
    stack: Option<Shifted>,
    /// The size of the stack in bytes.
    bytes: usize,
}

/// The fibers of the run, and the free stacks for the next one.
#[derive(Default)]
pub(crate) struct Fibers {
    places: RefCell<Places>,
    /// The yielder of the fiber that runs.
    yielder: Cell<Option<ptr::NonNull<Yielder<(), Next>>>>,
}

#[derive(Default)]
struct Places {
    stack_bytes: usize,
    /// Stacks made so far.
    made: usize,
    /// By task; none while the fiber runs, and none for a task that rests or has ended.
    live: Vec<Option<Box<Place>>>,
    #[expect(clippy::vec_box, reason = "a place moves between the lists, as one word")]
    idle: Vec<Box<Place>>,
    /// Idle places with larger stacks, for tasks that ask for one.
    #[expect(clippy::vec_box, reason = "as above")]
    large: Vec<Box<Place>>,
    /// By task, as far as there are any: those that rest.
    resting: Vec<Option<Resting>>,
}

impl fmt::Debug for Fibers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fibers").finish_non_exhaustive()
    }
}

impl Fibers {
    /// Runs the tasks as `decide` says, from `main` on, until the run is over. `give_up` gets a panic of the harness's
    /// own.
    pub(crate) fn run(
        &'static self,
        stack_bytes: usize,
        main: impl FnOnce() + 'static,
        decide: impl Fn() -> Next,
        give_up: impl FnOnce(&(dyn Any + Send)),
    ) {
        self.places.borrow_mut().take_stacks_of(stack_bytes);
        self.start(stack_bytes, main);
        // A task's panic is caught on its own stack; a panic that arrives here is the harness's own.
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let mut next = decide();
            while let Next::Task(task) = next {
                next = self.resume(task).unwrap_or_else(&decide);
            }
        }));
        if let Err(panic) = ran {
            give_up(panic.as_ref());
        }
        self.places.borrow_mut().abandon();
    }

    /// Makes the fiber of the newest task, with a stack of at least this size; the kernel decides when it runs.
    pub(crate) fn start<F: FnOnce() + 'static>(&'static self, stack_bytes: usize, body: F) {
        // corosensei moves the body to the new stack, if it is small.
        if size_of::<F>() <= MOVED_BYTES_MAX {
            self.place_fiber(stack_bytes, body);
        } else {
            self.place_fiber(stack_bytes, Box::new(body));
        }
    }

    fn place_fiber(&'static self, stack_bytes: usize, body: impl FnOnce() + 'static) {
        let place = self.on_stack(stack_bytes, move || {
            body();
            None
        });
        self.places.borrow_mut().live.push(Some(place));
    }

    fn on_stack(&'static self, bytes: usize, body: impl FnOnce() -> Option<Resting> + 'static) -> Box<Place> {
        let mut place = self.places.borrow_mut().free(bytes);
        let Some(stack) = place.stack.take() else { unreachable!("invariant: a free place has its stack") };
        place.fiber = Some(Fiber::with_stack(stack, move |yielder, ()| {
            self.yielder.set(Some(ptr::NonNull::from(yielder)));
            body()
        }));
        place
    }

    /// Lets the task run, and returns the decision with which it suspends; `None` if it rests or has ended.
    #[inline]
    fn resume(&'static self, task: TaskId) -> Option<Next> {
        // Removed from the list while it runs, since it may start other fibers.
        let place = self.places.borrow_mut().live.get_mut(task.index()).and_then(Option::take);
        let mut place = place.unwrap_or_else(|| self.rouse(task));
        let Some(fiber) = &mut place.fiber else { unreachable!("invariant: the place of a task has its fiber") };
        match fiber.resume(()) {
            CoroutineResult::Yield(next) => {
                self.places.borrow_mut().live[task.index()] = Some(place);
                Some(next)
            }
            CoroutineResult::Return(rests) => {
                place.stack = place.fiber.take().map(Fiber::into_stack);
                let mut places = self.places.borrow_mut();
                places.keep(place);
                if let Some(turn) = rests {
                    places.rest(task, turn);
                }
                None
            }
        }
    }

    /// Makes the newest task one that rests before its first turn; the kernel decides when it runs.
    pub(crate) fn start_resting(&self, task: TaskId, turn: Resting) {
        let mut places = self.places.borrow_mut();
        places.live.push(None);
        places.rest(task, turn);
    }

    /// Gives a task that rests a stack for its next turn.
    #[inline(never)]
    fn rouse(&'static self, task: TaskId) -> Box<Place> {
        let turn = self.places.borrow_mut().resting.get_mut(task.index()).and_then(Option::take);
        let Some(mut turn) = turn else { unreachable!("invariant: a task that is chosen is suspended") };
        self.on_stack(0, move || turn().then_some(turn))
    }

    /// Switches to the task that was chosen; returns when this task is chosen again.
    #[inline]
    #[expect(unsafe_code, reason = "the yielder of the fiber is kept as a pointer; see the argument at the block")]
    pub(crate) fn switch(&self, next: Next) {
        let Some(yielder) = self.yielder.get() else { unreachable!("invariant: only a fiber's own code switches") };
        // SAFETY: only the code of a running fiber comes here. Each fiber sets `yielder` to its own yielder when it
        // begins and again whenever it resumes, so the pointer is that of this very fiber; the yielder lies at the base
        // of its stack, and lives as long as the fiber has not ended.
        unsafe { yielder.as_ref().suspend(next) };
        self.yielder.set(Some(yielder));
    }

    /// Gives the stacks back to the system.
    pub(crate) fn free(&self) {
        let mut places = self.places.borrow_mut();
        (places.idle, places.large) = (Vec::new(), Vec::new());
    }
}

impl Places {
    fn take_stacks_of(&mut self, bytes: usize) {
        if self.stack_bytes != bytes {
            self.idle.clear();
            self.large.clear();
            (self.stack_bytes, self.made) = (bytes, 0);
        }
    }

    fn free(&mut self, bytes: usize) -> Box<Place> {
        let bytes = bytes.max(self.stack_bytes);
        let known = if bytes == self.stack_bytes {
            self.idle.pop()
        } else {
            self.large.iter().position(|place| place.bytes == bytes).map(|nth| self.large.swap_remove(nth))
        };
        match known {
            Some(place) => place,
            None => match Shifted::new(bytes, self.made) {
                Ok(stack) => {
                    self.made += 1;
                    Box::new(Place { fiber: None, stack: Some(stack), bytes })
                }
                Err(error) => panic!("a stack of {bytes} bytes cannot be allocated: {error}"),
            },
        }
    }

    /// Keeps a place for another task.
    fn keep(&mut self, place: Box<Place>) {
        let list = if place.bytes == self.stack_bytes { &mut self.idle } else { &mut self.large };
        list.push(place);
    }

    fn rest(&mut self, task: TaskId, turn: Resting) {
        if self.resting.len() <= task.index() {
            self.resting.resize_with(task.index() + 1, || None);
        }
        self.resting[task.index()] = Some(turn);
    }

    /// Recovers the stacks of the tasks that the run leaves unfinished.
    #[expect(unsafe_code, reason = "a task is left in the middle of its code; see the argument at the block")]
    fn abandon(&mut self) {
        // Not dropped either: see below.
        self.resting.drain(..).for_each(std::mem::forget);
        let mut live = std::mem::take(&mut self.live);
        for mut place in live.drain(..).flatten() {
            let Some(mut fiber) = place.fiber.take() else { continue };
            // SAFETY: the fiber is never resumed, so its own code uses nothing on its stack any more. The values there
            // are leaked, not dropped; they belong to a run that is over, whose code does not run again, and its
            // facade objects refuse to be used in another run. What outlives the run with a pointer into the stack is
            // left dangling: a static, a scoped thread of std's, a list outside the body. docs/limits.md names them;
            // shuttle accepts the same for executions that fail.
            unsafe { fiber.force_reset() };
            place.stack = Some(fiber.into_stack());
            self.keep(place);
        }
        self.live = live;
    }
}
