//! The findings of the ledger, with the allocation and the release of the block.

use std::backtrace::{Backtrace, BacktraceStatus};

use super::blocks::{Block, Moment, STACKS_MAX, Wrong};
use super::{BASE, is_in_arena};
use crate::bytes::Bytes;
use crate::finding::{Fact, Finding, FindingKind};
use crate::run::Run;

/// An access up to this many bytes behind a block counts as an overrun of it.
const NEAR: usize = 4096;

impl Run {
    /// The finding of a wrong release, or of a write to freed memory or behind a block.
    pub(super) fn verdict(&'static self, wrong: &Wrong, address: usize, stack: Option<u32>) -> Finding {
        let offset = address.wrapping_sub(BASE);
        match wrong {
            Wrong::NoBlock => {
                let message = format!("the freed address is not a block of this run (offset {offset:#x})");
                let finding = Finding::new(FindingKind::BadFree, message).facts(self.here());
                self.with_stack(finding, "the free", stack)
            }
            Wrong::Freed(block) => {
                let message = format!("a block of {} is freed twice", Bytes(block.size));
                let finding = Finding::new(FindingKind::DoubleFree, message).facts(self.here());
                let finding = self.with_stack(finding, "the second free", stack);
                self.with_life(finding, block)
            }
            Wrong::Layout(block) => {
                let message = format!("a block of {} is freed with another layout", Bytes(block.size));
                let finding = Finding::new(FindingKind::BadFree, message).facts(self.here());
                let finding = self.with_stack(finding, "the free", stack);
                self.with_life(finding, block)
            }
            Wrong::Overrun(block) => {
                let message = format!("the bytes behind a block of {} were written", Bytes(block.size));
                self.with_life(Finding::new(FindingKind::Overrun, message), block)
            }
            Wrong::WrittenAfterFree(block) => {
                let message = format!("a block of {} was written after it was freed", Bytes(block.size));
                self.with_life(Finding::new(FindingKind::UseAfterFree, message), block)
            }
        }
    }

    /// The finding for a failed access to this address, if the ledger explains it.
    pub(crate) fn explains(&'static self, address: usize) -> Option<Finding> {
        if !is_in_arena(address) {
            return None;
        }
        let block = self.ledger().near(address)?;
        let offset = address - block.start;
        let finding = if block.is_live() {
            let beyond = offset.checked_sub(block.size).filter(|beyond| *beyond < NEAR)?;
            let message = format!("an access {} behind the end of a block of {}", Bytes(beyond), Bytes(block.size));
            Finding::new(FindingKind::Overrun, message)
        } else {
            let message = format!("an access to a freed block of {}, at its byte {offset}", Bytes(block.size));
            Finding::new(FindingKind::UseAfterFree, message)
        };
        let finding = finding.facts(self.here());
        Some(finding)
    }

    /// Adds the allocation and the release of the block at this address.
    pub(crate) fn with_life_at(&'static self, finding: Finding, address: usize) -> Finding {
        match self.ledger().near(address).copied() {
            Some(block) => self.with_life(finding, &block),
            None => finding,
        }
    }

    /// Adds the block's allocation and its release.
    pub(super) fn with_life(&'static self, finding: Finding, block: &Block) -> Finding {
        let told = |moment: Moment| self.moment(moment.task, moment.step);
        let finding = finding.fact("allocated by", told(block.allocated));
        let finding = self.with_stack(finding, "the allocation", block.allocated.stack);
        match block.freed {
            None => finding,
            Some(freed) => {
                let finding = finding.fact("freed by", told(freed));
                self.with_stack(finding, "the first free", freed.stack)
            }
        }
    }

    /// Moves a stack from the ledger into the finding. The ledger does not need it again: a finding ends the run.
    fn with_stack(&'static self, mut finding: Finding, label: &str, stack: Option<u32>) -> Finding {
        if let Some(nth) = stack {
            let stacks = &mut self.ledger().stacks;
            let none = Backtrace::disabled();
            let stack = std::mem::replace(&mut stacks[nth as usize], none);
            let fact = match stack.status() {
                BacktraceStatus::Disabled => {
                    Fact::Text(format!("not kept: {STACKS_MAX} allocations and frees have followed"))
                }
                _ => Fact::Stack(stack),
            };
            finding.facts.push((format!("stack of {label}"), fact));
        }
        finding
    }
}
