//! The ledger of one run, as data: its entries, and the check at quiescence.

use kernel::record::{Mark, TaskInfo, Violation, ViolationKind};

use super::entry::{Entry, Holding};

/// Index of an entry in the ledger of its run.
pub(crate) type EntryId = u32;

/// All custody of one run.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(super) entries: Vec<Entry>,
    /// The number of entries of each class.
    classes: Vec<(&'static str, u32)>,
}

impl Ledger {
    pub(super) fn open(&mut self, class: &'static str, holding: Holding, mark: Mark) -> (EntryId, u32) {
        let nth = match self.classes.iter_mut().find(|(known, _)| std::ptr::eq(*known, class) || *known == class) {
            Some((_, count)) => {
                *count += 1;
                *count - 1
            }
            None => {
                self.classes.push((class, 1));
                0
            }
        };
        self.entries.push(Entry::new(class, nth, holding, mark));
        (self.entries.len() as EntryId - 1, nth)
    }

    /// Forgets everything, for the next run.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.classes.clear();
    }

    /// A violation if a resource is still held, or an operation is still pending, at quiescence. Further ones are
    /// facts.
    pub(crate) fn at_quiescence(&self, tasks: &[TaskInfo]) -> Option<Violation> {
        let mut left = self.entries.iter().filter_map(|entry| entry.left_over().map(|kind| (entry, kind)));
        let (first, kind) = left.next()?;
        let message = match kind {
            ViolationKind::CompletionCount => format!("{} was begun and never completed", first.name()),
            _ => format!("{} is still held at quiescence", first.name()),
        };
        let mut violation = first.provenance(Violation::about(kind, first.class, message), tasks);
        for (entry, _) in left {
            violation = violation.fact("also left", entry.name());
        }
        Some(violation)
    }
}
