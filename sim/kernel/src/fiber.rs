//! The kernel's own coroutines: each task runs on a stack of its own, and all of them on one OS thread.
//!
//! corosensei performs the switch, a few instructions in either direction. The stacks are kept from run to run: pages
//! are committed once, when they are touched, and below each stack is a guard page.
//!
//! All unsafe code that switches stacks is in this file.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::kernel::{Kernel, Next};
use crate::record::TaskId;

/// Size in bytes of the largest body that is moved to its stack.
const MOVED_BYTES_MAX: usize = 512;

/// A coroutine that yields the kernel's decisions to the loop of [`Kernel::run_fibers`].
type Fiber = Coroutine<(), Next, (), DefaultStack>;

/// A stack, and the fiber that runs on it. It is boxed, since it moves between lists at every switch.
struct Place {
    fiber: Option<Fiber>,
    stack: Option<DefaultStack>,
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
    /// By task; none while the fiber runs, and none for a task that has ended.
    live: Vec<Option<Box<Place>>>,
    #[expect(clippy::vec_box, reason = "a place moves between the lists, as one word")]
    idle: Vec<Box<Place>>,
    /// Idle places with larger stacks, for tasks that ask for one.
    #[expect(clippy::vec_box, reason = "as above")]
    large: Vec<Box<Place>>,
}

impl fmt::Debug for Fibers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fibers").finish_non_exhaustive()
    }
}

impl Kernel {
    /// Runs the tasks as decided, until the run is over.
    pub(crate) fn run_fibers(&'static self, stack_bytes: usize, main: impl FnOnce() + 'static) {
        self.fibers.places.borrow_mut().take_stacks_of(stack_bytes);
        self.start_fiber(stack_bytes, main);
        // A task's panic is caught on its own stack; a panic that arrives here is the harness's own.
        let ran = catch_unwind(AssertUnwindSafe(|| {
            let mut next = self.next();
            while let Next::Task(task) = next {
                next = match self.fibers.resume(task) {
                    Some(next) => next,
                    None => self.next(),
                };
            }
        }));
        if let Err(panic) = ran {
            self.give_up(panic.as_ref());
        }
        self.fibers.places.borrow_mut().abandon();
    }

    /// Makes the fiber of the newest task, with a stack of at least this size; the kernel decides when it runs.
    pub(crate) fn start_fiber<F: FnOnce() + 'static>(&'static self, stack_bytes: usize, body: F) {
        // corosensei moves the body to the new stack, if it is small.
        if size_of::<F>() <= MOVED_BYTES_MAX {
            self.place_fiber(stack_bytes, body);
        } else {
            self.place_fiber(stack_bytes, Box::new(body));
        }
    }

    fn place_fiber(&'static self, stack_bytes: usize, body: impl FnOnce() + 'static) {
        let mut places = self.fibers.places.borrow_mut();
        let mut place = places.free(stack_bytes);
        let Some(stack) = place.stack.take() else { unreachable!("invariant: a free place has its stack") };
        place.fiber = Some(Fiber::with_stack(stack, move |yielder, ()| {
            self.fibers.yielder.set(Some(ptr::NonNull::from(yielder)));
            body();
        }));
        places.live.push(Some(place));
    }
}

impl Fibers {
    /// Lets the task run, and returns the decision with which it suspends; `None` if it has ended.
    #[inline]
    fn resume(&self, task: TaskId) -> Option<Next> {
        // Removed from the list while it runs, since it may start other fibers.
        let place = self.places.borrow_mut().live.get_mut(task.index()).and_then(Option::take);
        let Some(mut place) = place else { unreachable!("invariant: a task that is chosen is suspended") };
        let Some(fiber) = &mut place.fiber else { unreachable!("invariant: the place of a task has its fiber") };
        match fiber.resume(()) {
            CoroutineResult::Yield(next) => {
                self.places.borrow_mut().live[task.index()] = Some(place);
                Some(next)
            }
            CoroutineResult::Return(()) => {
                place.stack = place.fiber.take().map(Fiber::into_stack);
                self.places.borrow_mut().rest(place);
                None
            }
        }
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
            self.stack_bytes = bytes;
        }
    }

    fn free(&mut self, bytes: usize) -> Box<Place> {
        let bytes = bytes.max(self.stack_bytes);
        let known = match bytes == self.stack_bytes {
            true => self.idle.pop(),
            false => self.large.iter().position(|place| place.bytes == bytes).map(|nth| self.large.swap_remove(nth)),
        };
        match known {
            Some(place) => place,
            None => match DefaultStack::new(bytes) {
                Ok(stack) => Box::new(Place { fiber: None, stack: Some(stack), bytes }),
                Err(error) => panic!("a stack of {bytes} bytes cannot be allocated: {error}"),
            },
        }
    }

    /// Keeps a place for another task.
    fn rest(&mut self, place: Box<Place>) {
        let list = if place.bytes == self.stack_bytes { &mut self.idle } else { &mut self.large };
        list.push(place);
    }

    /// Recovers the stacks of the tasks that the run leaves unfinished.
    #[expect(unsafe_code, reason = "a task is left in the middle of its code; see the argument at the block")]
    fn abandon(&mut self) {
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
            self.rest(place);
        }
        self.live = live;
    }
}
