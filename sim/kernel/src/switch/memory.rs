//! The memory of a stack.

use std::io;

use corosensei::stack::{DefaultStack, Stack, StackPointer};

/// The memory of a stack, with a guard page below it. The stack begins below the end of its memory.
///
/// Memory is aligned to pages. If all stacks began at the same offset in a page, the frames in which tasks wait would
/// share the same few sets of the L1 data cache, and many tasks would evict each other's frames at every switch.
pub(crate) struct Memory {
    stack: DefaultStack,
    base: StackPointer,
    bytes: usize,
}

/// The range of the offsets at which stacks begin: one page.
const OFFSETS_END_BYTES: usize = 4096;

/// The distance from one stack's offset to the next one's: a kilobyte, about the size of the frames of a waiting task,
/// and a cache line, so that many stacks begin in different sets.
const OFFSET_STEP_BYTES: usize = 1024 + 64;

impl Memory {
    /// Memory for a stack of this size, whose offset depends on its number.
    pub(crate) fn new(bytes: usize, number: usize) -> io::Result<Memory> {
        // Half of the address space: corosensei panics if its own additions overflow.
        if bytes > usize::MAX / 2 {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let stack = DefaultStack::new(bytes + OFFSETS_END_BYTES)?;
        let offset = number * OFFSET_STEP_BYTES % OFFSETS_END_BYTES;
        let Some(base) = StackPointer::new(stack.base().get() - offset) else {
            unreachable!("invariant: a stack is larger than its offset")
        };
        Ok(Memory { stack, base, bytes })
    }

    /// The requested size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

// SAFETY: the memory and its guard page are those of corosensei's stack. The base lies less than `OFFSETS_END_BYTES`
// below its end, by a multiple of 64, so it stays aligned, and the part below it has at least the requested size.
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
