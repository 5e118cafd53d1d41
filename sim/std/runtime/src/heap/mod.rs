//! The heap: each allocation of a task comes from an arena at a fixed address, and is entered in a ledger.
//!
//! A run reuses freed blocks only beyond 256 MiB or a million blocks, so until then the ledger knows the block of any
//! address. The next run begins with an empty arena at the same address: an abandoned run leaks nothing, and a replay
//! has the same pointers. The runtime and the kernel, and all code outside a run, allocate from the system.
//!
//! A free of memory that no allocator returns, such as a variable on a stack, is a finding.
//!
//! A run never frees memory that was allocated before it: the references to that memory are restored after the run, and
//! the next run may free it again.

mod blocks;
pub(crate) mod escape;
mod foreign;
mod leaks;
mod verdicts;

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt;

pub(crate) use blocks::{Ledger, Refused};

use crate::backtrace_lock;
use crate::run::current;

/// The arena: 64 GiB of reserved addresses.
pub(crate) const BASE: usize = 0x6000_0000_0000;
pub(crate) const BYTES: usize = 1 << 36;

/// The global allocator.
pub struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heap")
    }
}

#[inline]
pub(crate) fn is_in_arena(address: usize) -> bool {
    address.wrapping_sub(BASE) < BYTES
}

// SAFETY: a block is the system's or the ledger's, by its address; each of the two keeps the contract.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match current() {
            Some(run) if run.settings.get().heap => run.allocate(layout),
            _ => {
                backtrace_lock::allocates();
                // Zeroed: otherwise the scan for escaped state would mistake leftovers of an earlier block for
                // references.
                // SAFETY: the caller's promise.
                escape::add(unsafe { System.alloc_zeroed(layout) }, layout)
            }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match current() {
            Some(run) if run.settings.get().heap => {
                let block = run.allocate(layout);
                if !block.is_null() {
                    blocks::clear(block.addr(), layout.size());
                }
                block
            }
            // SAFETY: the caller's promise.
            _ => escape::add(unsafe { System.alloc_zeroed(layout) }, layout),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match (is_in_arena(block.addr()), current()) {
            (true, Some(run)) => run.free(block.addr(), layout),
            // A block that outlives its run was released with the arena.
            (true, None) => {}
            // A block that was allocated before the run is not freed; see the head of this file.
            (false, Some(run)) if run.settings.get().heap => run.frees_foreign(block.addr()),
            (false, _) => {
                escape::remove(block, layout);
                // SAFETY: the caller's promise.
                unsafe { System.dealloc(block, layout) }
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !is_in_arena(block.addr()) && current().is_none_or(|run| !run.settings.get().heap) {
            escape::remove(block, layout);
            // SAFETY: the caller's promise, and that the size, rounded up to the alignment, is valid.
            unsafe {
                let wanted = Layout::from_size_align_unchecked(size, layout.align());
                let new = System.realloc(block, layout, size);
                if !new.is_null() && size > layout.size() {
                    new.add(layout.size()).write_bytes(0, size - layout.size());
                }
                return escape::add(new, wanted);
            }
        }
        // SAFETY: the caller promises that the size, rounded up to the alignment, is valid.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: both blocks are at least as large as what is copied, and differ.
        unsafe {
            let new = self.alloc(wanted);
            if !new.is_null() {
                new.copy_from_nonoverlapping(block, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 3] = [24, 1_730, 70_000];

    fn layout(size: usize) -> Layout {
        Layout::array::<u8>(size).expect("a small size")
    }

    /// Fills a block of the system's allocator and frees it, so that the next block of this size holds nonzero bytes.
    fn leave_dirt(size: usize) {
        // SAFETY: the block has this size, and is freed once.
        unsafe {
            let block = System.alloc(layout(size));
            block.write_bytes(0xA5, size);
            System.dealloc(block, layout(size));
        }
    }

    #[track_caller]
    fn check_zero(block: *const u8, from: usize, to: usize) {
        // SAFETY: the block is live and has `to` bytes.
        let bytes = unsafe { std::slice::from_raw_parts(block, to) };
        assert!(bytes[from..].iter().all(|byte| *byte == 0), "a block of {to} bytes");
    }

    #[test]
    fn a_block_outside_of_a_run_holds_nothing_of_an_earlier_one() {
        for size in SIZES {
            leave_dirt(size);
            // SAFETY: the block has this size, is read while it is live, and is freed once.
            unsafe {
                let block = Heap.alloc(layout(size));
                check_zero(block, 0, size);
                leave_dirt(2 * size);
                let block = Heap.realloc(block, layout(size), 2 * size);
                check_zero(block, size, 2 * size);
                Heap.dealloc(block, layout(2 * size));
            }
        }
    }
}
