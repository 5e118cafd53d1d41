//! The ledger: every block of the run, with its allocation and its release.

use std::alloc::Layout;
use std::backtrace::Backtrace;
use std::collections::{BTreeMap, VecDeque};
use std::slice;

use lastref_kernel::record::TaskId;

use super::{BASE, BYTES};
use crate::run::Run;

/// Fills freed memory: a pointer read from it is invalid, and the check at the end of the run notices a write.
pub(super) const POISON: u8 = 0xde;
/// Freed bytes that are filled and checked.
const POISONED_MAX: usize = 512;
/// Fills the bytes behind each block.
const FENCE: u8 = 0xfd;
const FENCE_BYTES: usize = 8;
const PAGE: usize = 4096;
/// A freed block of at least this size returns its memory to the system at once; the run does not reuse its addresses.
const LARGE: usize = 256 * 1024;
/// Above this size, or this number of blocks, the heap of a run reuses freed blocks.
const FRESH_BYTES_MAX: usize = 256 << 20;
const FRESH_BLOCKS_MAX: usize = 1 << 20;
/// At most this many blocks of a run have guard pages: the system bounds the number of mappings, and each takes at
/// least a page.
const GUARDED_MAX: usize = 20_000;
/// A recorded run keeps the stacks of this many allocations and frees, the latest ones. A stack takes 5 to 10 KB, so a
/// run of millions of allocations would fill the memory.
pub(super) const STACKS_MAX: usize = 50_000;
/// Memory of the arena that the next run reuses. The rest is returned to the system.
const KEPT_BYTES: usize = 32 << 20;

/// The allocation or the release of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) task: TaskId,
    pub(super) step: u32,
    /// An index into the list of stacks.
    pub(super) stack: Option<u32>,
}

/// One block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) start: usize,
    pub(super) size: usize,
    align: usize,
    is_guarded: bool,
    pub(super) allocated: Moment,
    pub(super) freed: Option<Moment>,
}

impl Block {
    pub(super) fn is_live(&self) -> bool {
        self.freed.is_none()
    }

    /// The number of its first bytes that hold poison while it is free.
    fn poisoned(&self) -> usize {
        if self.size >= LARGE || self.is_guarded { 0 } else { self.size.min(POISONED_MAX) }
    }
}

/// A fault that the ledger notices at the release of a block, or at the end of the run.
pub(super) enum Wrong {
    /// The address is not that of a block.
    NoBlock,
    /// It was freed before.
    Freed(Block),
    /// It was allocated with another layout.
    Layout(Block),
    /// The bytes behind it were written.
    Overrun(Block),
    /// It was written after it was freed.
    WrittenAfterFree(Block),
}

/// The arena cannot be mapped.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) reason: String,
    /// The machine or the user limits the address space.
    pub(crate) is_limited: bool,
}

/// The blocks of the run, in the order of their addresses, which is the order of their allocation.
pub(crate) struct Ledger {
    pub(super) blocks: Vec<Block>,
    pub(super) stacks: Vec<Backtrace>,
    /// The address at which the next block begins.
    next: usize,
    /// Freed blocks by size and alignment, the oldest first, once the run reuses them.
    free: Option<BTreeMap<(usize, usize), VecDeque<u32>>>,
    /// The highest address that a run with guard pages has reached.
    guarded_to: usize,
    has_guards: bool,
    is_mapped: bool,
}

impl Ledger {
    pub(crate) fn new() -> Ledger {
        Ledger {
            blocks: Vec::with_capacity(1 << 12),
            stacks: Vec::new(),
            next: BASE,
            free: None,
            guarded_to: BASE,
            has_guards: false,
            is_mapped: false,
        }
    }

    /// Reserves the addresses of the arena. The error names the range and the system's error.
    pub(crate) fn map(&mut self) -> Result<(), Refused> {
        if self.is_mapped {
            return Ok(());
        }
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
        let place = std::ptr::without_provenance_mut(BASE);
        // SAFETY: the flags refuse a range that is in use.
        let mapped = unsafe { libc::mmap(place, BYTES, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        if mapped.addr() != BASE {
            let error = std::io::Error::last_os_error();
            let reason = format!("the heap of a run needs 64 GiB of addresses at {BASE:#x}: {error}");
            let is_limited = error.raw_os_error() == Some(libc::ENOMEM);
            let policy = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap_or_default();
            let hint = if is_limited { cause(policy.trim()) } else { "" };
            return Err(Refused { reason: reason + hint, is_limited });
        }
        self.is_mapped = true;
        Ok(())
    }

    /// The number of blocks that the run has allocated.
    pub(crate) fn allocated(&self) -> usize {
        self.blocks.len()
    }

    /// Begins a run.
    pub(crate) fn begin(&mut self, has_guards: bool) {
        self.blocks.clear();
        self.stacks.clear();
        (self.next, self.free, self.has_guards) = (BASE, None, has_guards);
    }

    /// Ends a run, and makes its guard pages accessible again.
    pub(crate) fn end(&mut self) {
        if self.guarded_to > BASE {
            protect(BASE, self.guarded_to - BASE, libc::PROT_READ | libc::PROT_WRITE);
            self.guarded_to = BASE;
        }
        let used = self.next - BASE;
        if used > KEPT_BYTES {
            give_back(BASE + KEPT_BYTES, used - KEPT_BYTES);
        }
    }

    /// A block for this layout, allocated at `now`; null if the arena is full.
    pub(super) fn allocate(&mut self, layout: Layout, now: Moment) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align().max(16));
        if size > BYTES / 4 || self.next + size + 2 * PAGE + align > BASE + BYTES {
            return std::ptr::null_mut();
        }
        let is_large = self.next - BASE > FRESH_BYTES_MAX || self.blocks.len() > FRESH_BLOCKS_MAX;
        if is_large && let Some(start) = self.again(layout, now) {
            return std::ptr::with_exposed_provenance_mut(start);
        }
        let is_guarded = self.has_guards && self.blocks.len() < GUARDED_MAX;
        let start = if is_guarded {
            // The block ends where a protected page begins.
            let pages = (size + align).next_multiple_of(PAGE);
            let guard = self.next.next_multiple_of(PAGE) + pages;
            self.next = guard + PAGE;
            self.guarded_to = self.next;
            protect(guard, PAGE, libc::PROT_NONE);
            (guard - size) & !(align - 1)
        } else {
            let start = self.next.next_multiple_of(align);
            self.next = start + size + FENCE_BYTES;
            // SAFETY: the bytes behind the block are the arena's, and belong to no other block.
            unsafe { std::ptr::with_exposed_provenance_mut::<u8>(start + size).write_bytes(FENCE, FENCE_BYTES) };
            start
        };
        self.blocks.push(Block { start, size, align: layout.align(), is_guarded, allocated: now, freed: None });
        std::ptr::with_exposed_provenance_mut(start)
    }

    /// Reuses a freed block of this layout. A write to it since its release goes unnoticed from here on.
    fn again(&mut self, layout: Layout, now: Moment) -> Option<usize> {
        let blocks = &self.blocks;
        let free = self.free.get_or_insert_with(|| {
            let mut free: BTreeMap<(usize, usize), VecDeque<u32>> = BTreeMap::new();
            let freed = (0..).zip(blocks).filter(|(_, block)| !block.is_live() && !block.is_guarded);
            freed.for_each(|(nth, block)| free.entry((block.size, block.align)).or_default().push_back(nth));
            free
        });
        let nth = free.get_mut(&(layout.size(), layout.align()))?.pop_front()?;
        let block = &mut self.blocks[nth as usize];
        (block.allocated, block.freed) = (now, None);
        Some(block.start)
    }

    /// Frees the block at `start`, at `now`.
    pub(super) fn free(&mut self, start: usize, layout: Layout, now: Moment) -> Result<(), Wrong> {
        let Ok(place) = self.blocks.binary_search_by_key(&start, |block| block.start) else {
            return Err(Wrong::NoBlock);
        };
        let block = self.blocks[place];
        if !block.is_live() {
            return Err(Wrong::Freed(block));
        }
        if (block.size, block.align) != (layout.size(), layout.align()) {
            return Err(Wrong::Layout(block));
        }
        if !block.is_guarded && !fence(&block).iter().all(|byte| *byte == FENCE) {
            return Err(Wrong::Overrun(block));
        }
        self.blocks[place].freed = Some(now);
        if let (Some(free), false) = (&mut self.free, block.is_guarded) {
            free.entry((block.size, block.align)).or_default().push_back(place as u32);
        }
        if block.is_guarded {
            let first = start & !(PAGE - 1);
            let end = (start + block.size).next_multiple_of(PAGE);
            protect(first, end - first, libc::PROT_NONE);
        } else if block.size >= LARGE {
            let first = start.next_multiple_of(PAGE);
            give_back(first, (start + block.size - first) & !(PAGE - 1));
        } else {
            let bytes = std::ptr::with_exposed_provenance_mut::<u8>(start);
            // SAFETY: the block has at least this many bytes, and its owner has released it.
            unsafe { bytes.write_bytes(POISON, block.poisoned()) };
        }
        Ok(())
    }

    /// The first block with a write to its poison or fence. Blocks with guard pages are left out: a bad write to them
    /// ends the run at once.
    pub(super) fn written(&self) -> Option<Wrong> {
        self.blocks.iter().filter(|block| !block.is_guarded).find_map(|block| {
            if !block.is_live() {
                let bytes = std::ptr::with_exposed_provenance::<u8>(block.start);
                // SAFETY: the block has at least this many bytes, and they are accessible.
                let bytes = unsafe { slice::from_raw_parts(bytes, block.poisoned()) };
                if bytes.iter().any(|byte| *byte != POISON) {
                    return Some(Wrong::WrittenAfterFree(*block));
                }
            }
            fence(block).iter().any(|byte| *byte != FENCE).then_some(Wrong::Overrun(*block))
        })
    }

    /// The last block that begins at or below this address; it may have been freed.
    pub(super) fn near(&self, address: usize) -> Option<&Block> {
        let after = self.blocks.partition_point(|block| block.start <= address);
        self.blocks[..after].last()
    }

    pub(super) fn add_stack(&mut self, stack: Option<Backtrace>) -> Option<u32> {
        self.stacks.push(stack?);
        let nth = self.stacks.len() - 1;
        if let Some(oldest) = nth.checked_sub(STACKS_MAX) {
            self.stacks[oldest] = Backtrace::disabled();
        }
        Some(nth as u32)
    }
}

/// Why the system refuses addresses, by its policy for more memory than it has.
fn cause(policy: &str) -> &'static str {
    match policy {
        // Reserved addresses count as memory.
        "2" => "; the system refuses overcommit: set vm.overcommit_memory to 0 or 1",
        _ => "; a limit of the address space (ulimit -v) is too low",
    }
}

fn fence(block: &Block) -> &[u8] {
    let end = std::ptr::with_exposed_provenance::<u8>(block.start + block.size);
    // SAFETY: a block of a run without guard pages has this many bytes behind it, which are the arena's.
    unsafe { slice::from_raw_parts(end, FENCE_BYTES) }
}

fn protect(start: usize, bytes: usize, protection: i32) {
    // SAFETY: the range is in the arena, which the ledger owns. A failure leaves the memory as it was.
    unsafe { libc::mprotect(std::ptr::with_exposed_provenance_mut(start), bytes, protection) };
}

/// Fills a live block with zeros. The pages inside a large block are returned to the system, which clears a page at its
/// first use: a program may allocate far more zeros than it touches.
pub(super) fn clear(start: usize, size: usize) {
    let fill = |from: usize, to: usize| {
        // SAFETY: the range is part of a block that is being allocated.
        unsafe { std::ptr::with_exposed_provenance_mut::<u8>(from).write_bytes(0, to - from) };
    };
    let end = start + size;
    if size < LARGE {
        return fill(start, end);
    }
    let (first, last) = (start.next_multiple_of(PAGE), end & !(PAGE - 1));
    fill(start, first);
    give_back(first, last - first);
    fill(last, end);
}

fn give_back(start: usize, bytes: usize) {
    // SAFETY: the range is in the arena, and its content is not needed.
    unsafe { libc::madvise(std::ptr::with_exposed_provenance_mut(start), bytes, libc::MADV_DONTNEED) };
}

impl Run {
    fn now(&'static self) -> Moment {
        let (task, step) = self.kernel.log(|log| (log.task, log.step));
        let stack = self.stack();
        Moment { task, step, stack: self.ledger().add_stack(stack) }
    }

    /// Allocates for the current task.
    pub(super) fn allocate(&'static self, layout: Layout) -> *mut u8 {
        self.host(|| {
            let now = self.now();
            let block = self.ledger().allocate(layout, now);
            if block.is_null() {
                self.refused.set(Some(layout.size()));
            }
            block
        })
    }

    /// Frees for the current task. A wrong release ends the run with a finding.
    pub(super) fn free(&'static self, start: usize, layout: Layout) {
        self.host(|| {
            let now = self.now();
            if let Err(wrong) = self.ledger().free(start, layout, now) {
                let finding = self.verdict(&wrong, start, now.stack);
                self.fail(finding);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_addresses_have_the_cause_that_the_system_states() {
        assert!(cause("2").contains("vm.overcommit_memory"));
        assert!(["0", "1", ""].map(cause).iter().all(|cause| cause.contains("ulimit -v")));
    }
}
