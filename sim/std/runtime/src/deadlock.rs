//! Deadlocks and stalls: the holder of the lock that a task waits for, and the stacks of the waiting tasks.
//!
//! The kernel knows the word that a task waits on. It does not know that the word is a lock, since the lock is real
//! std's. So the recorded run of a finding notes here the last task that took each lock.

use std::backtrace::Backtrace;
use std::panic::Location;

use lastref_kernel::record::{ObjectId, OpKind, TaskId, Violation};

use crate::finding::{Fact, Finding, FindingKind, place};
use crate::run::Run;
use crate::stacks::first_place;
use crate::stall::Stalled;

/// The last task that took a lock, and the source location of that operation.
pub(crate) struct Locker {
    object: ObjectId,
    /// The lock and its taker, as a report names them.
    names: (String, String),
    location: &'static Location<'static>,
}

/// The name of a waiting task, and its stack.
pub(crate) type Wait = (String, Backtrace);

impl Run {
    /// Notes that the current task has done this operation on the object at `address`.
    pub(crate) fn notes_locker(&'static self, kind: OpKind, address: usize, location: &'static Location<'static>) {
        if !self.has_stacks.get()
            || !matches!(kind, OpKind::Lock | OpKind::TryLock | OpKind::ReadLock | OpKind::WriteLock)
        {
            return;
        }
        self.host(|| {
            let Some(object) = self.objects.borrow().known(address) else { return };
            let names = self.kernel.log(|log| (log.label(object), log.task_name(log.task).to_owned()));
            let mut lockers = self.lockers.borrow_mut();
            lockers.retain(|locker| locker.object != object);
            lockers.push(Locker { object, names, location });
        });
    }

    /// The stacks of the waiting tasks. Called by host code.
    pub(crate) fn waits(&self) -> Vec<Wait> {
        let mut tasks = self.tasks.borrow_mut();
        let count = tasks.iter().count() as u32;
        let wait = |task: TaskId| {
            let stack = tasks.of(task).waits_at.take()?;
            Some((self.kernel.log(|log| log.task_name(task).to_owned()), stack))
        };
        (0..count).map(TaskId).filter_map(wait).collect()
    }

    /// A finding of the kernel; for a deadlock and a stall, with the lock holders and stacks that the runtime knows.
    pub(crate) fn finding_of(&self, violation: Violation, waits: Vec<Wait>, stalled: Option<&Stalled>) -> Finding {
        let mut finding = Finding::of(violation);
        match (finding.kind, stalled) {
            (FindingKind::Deadlock, _) => {}
            (FindingKind::Stall, Some(stalled)) => stalled.add_to(&mut finding),
            _ => return finding,
        }
        let lockers = self.lockers.borrow();
        for (_, fact) in &mut finding.facts {
            let Fact::Text(text) = fact else { continue };
            for Locker { names: (lock, task), location, .. } in lockers.iter() {
                let waits = format!("lock {lock}, not notified");
                *text = text.replace(&waits, &format!("lock {lock}, last taken by {task} at {}", place(location)));
            }
        }
        // Facts and waits are both in task order. Several tasks may have the same name.
        let mut first = 0;
        for (label, fact) in &mut finding.facts {
            let Fact::Text(text) = fact else { continue };
            let Some(nth) = waits[first..].iter().position(|(name, _)| name == label) else { continue };
            let (_, stack) = &waits[first + nth];
            first += nth + 1;
            // A wait in a libc call has no source location of its own.
            if !text.contains(", at ")
                && let Some(place) = first_place(stack)
            {
                text.push_str(&format!(", at {place}"));
            }
        }
        for (name, stack) in waits {
            finding = finding.stack(&format!("{name}, which waits"), Some(stack));
        }
        finding
    }
}
