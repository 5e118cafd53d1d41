//! Frees of memory that the heap did not allocate.
//!
//! Memory that the program allocated before the run is lawful to free, and so is a block of a library's allocator. Only
//! an address that no allocator returns is a finding: one on the stack of a task, one in the program's own data, or one
//! that is not mapped.

use crate::execute::STACK_BYTES;
use crate::finding::{Finding, FindingKind};
use crate::memory::is_of_program;
use crate::run::Run;

/// Whether the page of this address is mapped: the system call fails if it is not.
fn is_mapped(address: usize) -> bool {
    const PAGE: usize = 4096;
    let page = std::ptr::with_exposed_provenance_mut(address & !(PAGE - 1));
    let mut is_resident = 0_u8;
    // SAFETY: the system checks the address, and writes one byte for one page.
    unsafe { libc::mincore(page, PAGE, &raw mut is_resident) == 0 }
}

impl Run {
    /// Judges the free of an address outside the arena. A wrong one ends the run with a finding.
    pub(super) fn frees_foreign(&'static self, address: usize) {
        self.host(|| {
            let owner = match self.stack_with(address) {
                Some(task) => format!("it is on the stack of {task}"),
                None if is_of_program(address) => "it is a static or a constant of the program".to_owned(),
                None if !is_mapped(address) => "nothing is mapped there".to_owned(),
                None => return,
            };
            let message = format!("free of memory that the heap did not allocate: {owner}");
            let finding = Finding::new(FindingKind::BadFree, message).facts(self.here());
            self.fail(finding.stack("the free", self.stack()));
        });
    }

    /// The name of the task on whose stack the address is.
    fn stack_with(&self, address: usize) -> Option<String> {
        let tasks = self.tasks.borrow();
        let mut with = tasks.iter().filter(|(_, task)| {
            // Each stack has at least this size, so the range is part of it, or of the guard pages below it.
            (task.stack_from.saturating_sub(STACK_BYTES)..task.stack_from).contains(&address)
        });
        with.next().map(|(task, _)| self.kernel.log(|log| log.task_name(task).to_owned()))
    }
}
