//! The memory of a stack.

use std::io;

use corosensei::stack::{DefaultStack, Stack, StackPointer};

/// The memory of a stack, with a guard page below it. The stack begins below the end of its memory.
///
/// Memory is aligned to pages. If all stacks began at the same place of a page, the frames in which tasks wait would
/// share the same few sets of the L1 data cache, and many tasks would evict each other's frames at every switch.
pub(crate) struct Memory {
    stack: DefaultStack,
    base: StackPointer,
    bytes: usize,
}

/// The memory that shifts use; a page.
const SHIFTS_BYTES: usize = 4096;

/// The distance from one stack's shift to the next one's: a kilobyte, about the size of the frames of a waiting task,
/// and a cache line, so that many stacks begin in different sets.
const SHIFT_BYTES: usize = 1024 + 64;

impl Memory {
    /// Memory for a stack of this size, whose shift depends on its number.
    pub(crate) fn new(bytes: usize, number: usize) -> io::Result<Memory> {
        // Half of the address space: corosensei panics if its own additions overflow.
        if bytes > usize::MAX / 2 {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let stack = DefaultStack::new(bytes + SHIFTS_BYTES)?;
        let shift = number * SHIFT_BYTES % SHIFTS_BYTES;
        let Some(base) = StackPointer::new(stack.base().get() - shift) else {
            unreachable!("invariant: a stack is larger than its shift")
        };
        Ok(Memory { stack, base, bytes })
    }

    /// The size in bytes that was asked for.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

// SAFETY: the memory and its guard page are those of corosensei's stack. The base lies less than `SHIFTS_BYTES` below
// its end, by a multiple of 64, so it stays aligned, and the part below it has at least the size that was asked for.
#[expect(unsafe_code, reason = "a stack's place is a promise to the code that switches; see the argument above")]
unsafe impl Stack for Memory {
    #[inline]
    fn base(&self) -> StackPointer {
        self.base
    }

    fn limit(&self) -> StackPointer {
        self.stack.limit()
    }
}
