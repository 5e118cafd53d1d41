//! The end of a run: blocks that were written after they were freed, and unreachable blocks.
//!
//! A block is reachable if a word in the writable data of the program, in the thread's own block, or in another
//! reachable block points into it. The scan is conservative: a number that looks like an address hides a leak.

use super::blocks::{Block, Ledger};
use super::is_in_arena;
use crate::bytes::Bytes;
use crate::finding::{Finding, FindingKind};
use crate::memory::Memory;
use crate::run::Run;

impl Run {
    /// Checks the blocks at the end of a run.
    pub(crate) fn judge_heap(&'static self) -> Option<Finding> {
        let wrong = self.ledger().written()?;
        Some(self.verdict(&wrong, 0, None))
    }

    /// Looks for leaks. Every task has ended.
    pub(crate) fn judge_leaks(&'static self, memory: &Memory) -> Option<Finding> {
        let lost = self.ledger().lost(memory);
        let first = *lost.first()?;
        let bytes: usize = lost.iter().map(|block| block.size).sum();
        let message = match lost.len() {
            1 => format!("a block of {} was never freed, and nothing refers to it", Bytes(bytes)),
            count => format!("{count} blocks of {} were never freed, and nothing refers to them", Bytes(bytes)),
        };
        let finding = Finding::new(FindingKind::Leak, message);
        let finding = finding.fact("first block", Bytes(first.size).to_string());
        Some(self.with_life(finding, &first))
    }
}

impl Ledger {
    /// The live blocks that are not reachable.
    fn lost(&self, memory: &Memory) -> Vec<Block> {
        let is_live = |block: &&Block| block.is_live() && block.size > 0;
        if !self.blocks.iter().any(|block| is_live(&block)) {
            return Vec::new();
        }
        let mut reached = vec![false; self.blocks.len()];
        let mut todo = Vec::new();
        for (start, bytes) in memory.ranges() {
            self.scan(start, bytes, &mut reached, &mut todo);
        }
        while let Some(place) = todo.pop() {
            let Block { start, size, .. } = self.blocks[place];
            self.scan(start, size, &mut reached, &mut todo);
        }
        let lost = self.blocks.iter().zip(reached).filter(|(block, reached)| is_live(block) && !reached);
        lost.map(|(block, _)| *block).collect()
    }

    /// Marks the blocks that the words of this range point into.
    fn scan(&self, start: usize, bytes: usize, reached: &mut [bool], todo: &mut Vec<usize>) {
        let end = start + bytes;
        let mut at = start.next_multiple_of(8);
        while at + 8 <= end {
            // SAFETY: the range is accessible: data of the program, or a block that was not freed.
            let word = unsafe { std::ptr::with_exposed_provenance::<usize>(at).read_volatile() };
            at += 8;
            if !is_in_arena(word) {
                continue;
            }
            let after = self.blocks.partition_point(|block| block.start <= word);
            let Some(place) = after.checked_sub(1) else { continue };
            let block = &self.blocks[place];
            // An address one past the end counts too: the only reference to a block may be an iterator.
            if block.is_live() && word <= block.start + block.size && !reached[place] {
                reached[place] = true;
                todo.push(place);
            }
        }
    }
}
