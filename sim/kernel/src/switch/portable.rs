//! The switch by corosensei's coroutines, for the processors and systems that it knows.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::Memory;

/// The code that a coroutine requests to continue; `None` for the code of the OS thread.
type Wanted = Option<NonNull<Code>>;

/// A stack, and the code on it.
pub(crate) struct Code {
    bytes: usize,
    /// The memory, while there is no coroutine.
    memory: Cell<Option<Memory>>,
    coroutine: RefCell<Option<Coroutine<(), Wanted, (), Memory>>>,
    /// The yielder of the coroutine, once the coroutine has begun.
    yielder: Cell<Option<NonNull<Yielder<(), Wanted>>>>,
}

/// The stack of the OS thread, while other code runs.
#[derive(Default)]
pub(crate) struct Home;

impl Code {
    /// A stack without code.
    pub(crate) fn new(memory: Memory) -> Code {
        let bytes = memory.bytes();
        Code { bytes, memory: Cell::new(Some(memory)), coroutine: RefCell::new(None), yielder: Cell::new(None) }
    }

    /// The size of the stack in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts suspended code on this stack, which begins with `body`.
    ///
    /// # Safety
    /// The previous content of the stack is lost: its code must not run again. `body` must neither unwind nor return.
    /// This object must not move.
    #[expect(unsafe_code, reason = "the coroutine points to its stack's object; see the argument at the block")]
    pub(crate) unsafe fn begin<F: FnOnce() + 'static>(&self, body: F) {
        self.forget();
        let Some(memory) = self.memory.take() else { unreachable!("invariant: without a coroutine there is memory") };
        let this = NonNull::from(self);
        let coroutine = Coroutine::with_stack(memory, move |yielder, ()| {
            // SAFETY: the caller guarantees that the object does not move, and it holds the coroutine that runs here.
            unsafe { this.as_ref() }.yielder.set(Some(NonNull::from(yielder)));
            body();
        });
        self.coroutine.replace(Some(coroutine));
    }

    /// Forgets the code on this stack.
    #[expect(unsafe_code, reason = "code is left in the middle; see the argument at the block")]
    fn forget(&self) {
        if let Some(mut coroutine) = self.coroutine.take() {
            // SAFETY: the contract of `begin`, or the end of this object, guarantees that the code does not run again.
            unsafe { coroutine.force_reset() };
            self.memory.set(Some(coroutine.into_stack()));
        }
    }

    /// Suspends this code, and continues `next`. Returns when something switches back.
    ///
    /// # Safety
    /// This must be the code that runs, and `next` code that is suspended.
    #[expect(unsafe_code, reason = "see the contract")]
    pub(crate) unsafe fn switch(&self, next: &Code) {
        // SAFETY: the same contract.
        unsafe { self.suspend(Some(NonNull::from(next))) }
    }

    /// Suspends this code, and continues that of the OS thread, which waits at [`Home::leave`].
    ///
    /// # Safety
    /// This must be the code that runs, and `home` have been left.
    #[expect(unsafe_code, reason = "see the contract")]
    pub(crate) unsafe fn go_home(&self, _home: &Home) {
        // SAFETY: the same contract.
        unsafe { self.suspend(None) }
    }

    #[expect(unsafe_code, reason = "the yielder is kept as a pointer; see the argument at the block")]
    unsafe fn suspend(&self, wanted: Wanted) {
        let Some(yielder) = self.yielder.get() else { unreachable!("invariant: code that runs has begun") };
        // SAFETY: the yielder lies at the base of this stack and lives as long as its coroutine, which runs.
        unsafe { yielder.as_ref() }.suspend(wanted);
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Home {
    /// Suspends the code of the OS thread, and continues `next`. Returns at [`Code::go_home`].
    ///
    /// # Safety
    /// This must be the code that runs, and `next` code that is suspended.
    #[expect(unsafe_code, reason = "follows what the coroutines want; see the argument at the block")]
    pub(crate) unsafe fn leave(&self, next: &Code) {
        let mut wanted = Some(NonNull::from(next));
        while let Some(code) = wanted {
            // SAFETY: the caller of `switch` guarantees that this code is suspended, so its object has not moved.
            let mut coroutine = unsafe { code.as_ref() }.coroutine.borrow_mut();
            let Some(coroutine) = coroutine.as_mut() else { unreachable!("invariant: suspended code has a coroutine") };
            wanted = match coroutine.resume(()) {
                CoroutineResult::Yield(wanted) => wanted,
                CoroutineResult::Return(()) => unreachable!("invariant: the body of a stack does not return"),
            };
        }
    }
}
