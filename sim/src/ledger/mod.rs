//! The ledger: the record of each resource's owner, uses, transfers and release.
//!
//! A model in safe Rust cannot have a real use after free. It reports each acquisition, transfer, use and release to
//! the ledger, which checks the rules of ownership at every call. A finding lists these steps with owner, task, step
//! and source line. Handles are `Copy` ids that can dangle, like C pointers, so that a model can use a released
//! resource.
//!
//! Each call except a creation is a scheduling point, so that a use and a release run in both orders even without a
//! lock between them. No call adds an ordering: it joins no clock and takes no lock. (Under the `threads` engine the
//! record itself is guarded by a lock of the harness.)
//!
//! A finding names the line of the call. A helper that acts for its caller is `#[track_caller]`, so that the finding
//! names the caller's line instead of its own. On `Drop::drop`, which has no call in the source, the attribute makes
//! the finding name the task's last operation before the drop.
//!
//! | handle | what it is | broken by |
//! | --- | --- | --- |
//! | [`Resource`] | one thing with one owner | double release, use after release, leak, aliased, wrong owner, callback after teardown |
//! | [`Counted`] | a counted thing with named holders | refcount under-run, count not equal to holders, use after release, leak |
//! | [`Slot`] | a slot for one pending operation | second pending, completed twice or never |
//! | [`Tag`] | the peer and the request of a payload | cross-delivery |

pub(crate) mod book;
mod counted;
mod entry;
mod resource;
mod slot;
mod tag;

use std::panic::Location;

use kernel::record::{Action, Custody, Item, Mark, OpKind, RunNumber, Violation, ViolationKind};

pub(crate) use book::EntryId;
pub use counted::Counted;
pub(crate) use entry::{Entry, Holding};
pub use kernel::record::Owner;
pub use resource::Resource;
pub use slot::Slot;
pub use tag::{Tag, deliver};

use crate::engine::{self, Object};
use crate::session::{self, with_run};

/// The content of every handle: the index of its entry, and its object in the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Handle {
    entry: EntryId,
    object: Object,
}

/// Opens the entry of a facade `Arc`, which is alive until its last strong reference is dropped.
pub(crate) fn arc_opened(object: Object, class: &'static str, location: &'static Location<'static>) -> Handle {
    let entry = with_run(|run| {
        let by = Owner::new("task", run.log.task.0);
        let mark = run.log.mark(by, location);
        run.checks.ledger.open(class, Holding::Exclusive { owner: None }, mark).0
    });
    Handle { entry: entry.unwrap_or(EntryId::MAX), object }
}

/// Marks the entry of an `Arc` as dead: its last strong reference was dropped.
pub(crate) fn arc_closed(handle: Handle) {
    adjust(handle, |entry| entry.live = false);
}

/// The result of a rule for an action: the row for the table, or the kind and the message of a finding.
pub(crate) type Ruling = Result<Custody, (ViolationKind, String)>;

/// Opens an entry and records it.
fn open(
    class: &'static str,
    holder: Owner,
    holding: impl FnOnce() -> Holding,
    location: &'static Location<'static>,
) -> Handle {
    let object = Object::of_custody(class, location);
    let id = with_run(|run| {
        let mark = run.log.mark(holder, location);
        let (id, nth) = run.checks.ledger.open(class, holding(), mark);
        run.log.record(Item::Custody(Custody::new(Action::Acquired, class, nth, holder)), location);
        id
    });
    Handle { entry: id.unwrap_or(EntryId::MAX), object }
}

/// Announces the action, applies it to the entry, and records it; ends the run if the action breaks a rule.
fn act(
    Handle { entry: id, object }: Handle,
    kind: OpKind,
    by: Owner,
    location: &'static Location<'static>,
    rule: impl FnOnce(&mut Entry, Mark) -> Ruling,
) {
    // Outside any run nothing is observed: a destructor may act on the remains of a run.
    if session::number() == RunNumber::NONE || !object.admits(location) {
        return;
    }
    engine::custody_point(kind, object.id(), location);
    let finding = with_run(|run| {
        let log = run.log;
        let mark = log.mark(by, location);
        let entry = run.checks.ledger.entries.get_mut(id as usize)?;
        match rule(entry, mark) {
            Ok(custody) => {
                log.record(Item::Custody(custody), location);
                None
            }
            Err((kind, message)) => {
                let entry = &run.checks.ledger.entries[id as usize];
                let violation = Violation::about(kind, entry.class, message);
                let violation = entry.provenance(violation, &log.tasks).fact("here", mark.describe(&log.tasks));
                log.record(Item::Custody(Custody::new(Action::Broken, entry.class, entry.nth, by)), location);
                Some(violation)
            }
        }
    });
    if let Some(Some(violation)) = finding {
        session::fail(violation);
    }
}

/// Reads an entry without a scheduling point.
fn peek<R>(Handle { entry, object }: Handle, read: impl FnOnce(&Entry) -> R) -> Option<R> {
    let known = object.is_current();
    with_run(|run| run.checks.ledger.entries.get(entry as usize).filter(|_| known).map(read)).flatten()
}

/// Changes an entry without a scheduling point.
fn adjust(Handle { entry, object }: Handle, change: impl FnOnce(&mut Entry)) {
    let known = object.is_current();
    with_run(|run| run.checks.ledger.entries.get_mut(entry as usize).filter(|_| known).map(change));
}
