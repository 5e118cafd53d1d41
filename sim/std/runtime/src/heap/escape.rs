//! State that escapes from a run: memory from before the run that refers to memory of the run.
//!
//! A test whose only state is in statics starts afresh in each run. A closure that captured an `Arc<Mutex<Vec>>` does
//! not: the elements that a run adds to the vector are in the arena, which the next run reuses. Such a reference is a
//! finding, since the next run would read memory that no longer exists. This file lists the blocks that the program
//! allocated outside of runs. It scans them at the end of runs 1, 2, 4, 8 and so on, and of the recorded run of a
//! finding.

use std::alloc::Layout;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use super::is_in_arena;
use crate::bytes::Bytes;
use crate::finding::{Finding, FindingKind};
use crate::run::Run;

thread_local! {
    /// True if this thread's allocations are not listed: it is the search's thread, or it is changing the list.
    static IS_OWN: Cell<bool> = const { Cell::new(false) };
}

/// Blocks by address, with their sizes.
type Blocks = BTreeMap<usize, usize>;

/// The list; null before the first block.
static BLOCKS: AtomicPtr<Blocks> = AtomicPtr::new(ptr::null_mut());
static IS_LOCKED: AtomicBool = AtomicBool::new(false);

/// Marks this OS thread as the search's: its allocations are not listed from now on.
pub(crate) fn is_search() {
    IS_OWN.set(true);
}

/// Calls `change` with the list, unless this thread's allocations are not listed.
fn with_list(change: impl FnOnce(&mut Blocks)) {
    // A thread that ends has already lost this value; the blocks that it then frees stay listed, which is harmless.
    if IS_OWN.try_with(|is_own| is_own.replace(true)) != Ok(false) {
        return;
    }
    while IS_LOCKED.swap(true, Ordering::Acquire) {
        std::hint::spin_loop();
    }
    let mut list = BLOCKS.load(Ordering::Relaxed);
    if list.is_null() {
        list = Box::into_raw(Box::default());
        BLOCKS.store(list, Ordering::Relaxed);
    }
    // SAFETY: the list is never freed, and this thread has the lock.
    change(unsafe { &mut *list });
    IS_LOCKED.store(false, Ordering::Release);
    IS_OWN.set(false);
}

/// Lists a block that was allocated outside of a run.
pub(super) fn add(block: *mut u8, layout: Layout) -> *mut u8 {
    if layout.size() >= size_of::<usize>() && !block.is_null() {
        with_list(|list| {
            list.insert(block.addr(), layout.size());
        });
    }
    block
}

/// Removes a block that is about to be freed.
pub(super) fn remove(block: *mut u8, layout: Layout) {
    if layout.size() >= size_of::<usize>() {
        with_list(|list| {
            list.remove(&block.addr());
        });
    }
}

/// The statics of this file, as addresses and lengths: other threads of the program use them during a search.
pub(crate) fn kept() -> [(usize, usize); 2] {
    let list = (ptr::from_ref(&BLOCKS).addr(), size_of_val(&BLOCKS));
    [list, (ptr::from_ref(&IS_LOCKED).addr(), size_of_val(&IS_LOCKED))]
}

impl Run {
    /// Looks for a reference from before the run into the run. Called by host code at the end of a run.
    pub(crate) fn judge_escape(&'static self) -> Option<Finding> {
        // SAFETY: the pointer is null or that of the list, which is never freed. Only this thread runs.
        let blocks = unsafe { BLOCKS.load(Ordering::Relaxed).as_ref() }?;
        blocks.iter().find_map(|(start, size)| {
            let words = start.next_multiple_of(8)..(start + size).saturating_sub(7);
            words.step_by(8).find_map(|at| {
                // SAFETY: the block is live: it is removed from the list before it is freed.
                let word = unsafe { ptr::with_exposed_provenance::<usize>(at).read_volatile() };
                let block = if is_in_arena(word) { *self.ledger().near(word)? } else { return None };
                if word > block.start + block.size {
                    return None;
                }
                let message = format!(
                    "a block of {} from before the run refers to a block of {} of the run: state that the runs share",
                    Bytes(*size),
                    Bytes(block.size)
                );
                Some(self.with_life(Finding::new(FindingKind::EscapedState, message), &block))
            })
        })
    }
}
