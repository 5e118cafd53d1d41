//! What happened, in order: task, operation, object, source line.
//!
//! Its hash is kept of every run; the events themselves only of runs that somebody is going to read.

mod table;

use std::fmt;
use std::panic::Location;

use crate::ledger::Custody;
use crate::op::{ObjectId, Op, OpKind, TaskId};
use crate::run::{self, Record};
use crate::seed::{fold, fold_str};
use crate::violation::Violation;

pub use table::Detail;
pub(crate) use table::{describe, render};

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) task: TaskId,
    pub(crate) step: u32,
    pub(crate) now_ns: u64,
    pub(crate) item: Item,
    pub(crate) location: &'static Location<'static>,
}

#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// An operation of the facade.
    Op { kind: OpKind, object: ObjectId },
    /// A change of custody, as the ledger saw it.
    Custody(Custody),
    /// A state change of the model.
    Transition { machine: &'static str, index: u32, from: &'static str, to: &'static str },
    /// Anything else that the model says of itself.
    Note(Box<str>),
    /// A task began.
    Began,
    /// A task ended.
    Ended,
    /// The task cannot go on until something else happens.
    Blocked { on: ObjectId },
    /// A timed wait ran out.
    TimedOut,
}

/// The events of one run and their hash.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    record: Record,
    pub(crate) events: Vec<Event>,
}

impl Trace {
    pub(crate) fn new(record: Record) -> Trace {
        let events = match record {
            Record::Hash | Record::Switches => Vec::new(),
            Record::Events => Vec::with_capacity(1024),
        };
        Trace { hash: 0x1a57_4ef0, record, events }
    }

    pub(crate) fn recording(&self) -> bool {
        self.record == Record::Events
    }

    pub(crate) fn hash(&self) -> u64 {
        crate::seed::mix(self.hash)
    }

    /// Mixes in what the run came to.
    pub(crate) fn seal(&mut self, violation: &Violation) {
        self.hash = fold_str(fold_str(self.hash, &violation.property), &violation.message);
    }

    pub(crate) fn push(&mut self, event: Event) {
        self.fold(event.task, event.now_ns, event.item.digest(), event.location);
        if self.recording() {
            self.events.push(event);
        }
    }

    /// Adds an operation of the facade: most events are one.
    #[inline]
    pub(crate) fn operated(&mut self, task: TaskId, step: u32, now_ns: u64, op: Op) {
        let Op { kind, object, location } = op;
        self.fold(task, now_ns, operation_digest(kind, object), location);
        if self.recording() {
            self.events.push(Event { task, step, now_ns, item: Item::Op { kind, object }, location });
        }
    }

    #[inline]
    fn fold(&mut self, task: TaskId, now_ns: u64, digest: u64, location: &Location<'_>) {
        let place = (u64::from(location.line()) << 32) | u64::from(location.column());
        let who = (u64::from(task.0) << 32) | location.file().len() as u64;
        self.hash = fold(fold(self.hash, who ^ place.rotate_left(21)), digest ^ now_ns.rotate_left(17));
    }
}

#[inline]
fn operation_digest(kind: OpKind, object: ObjectId) -> u64 {
    ((kind as u64) << 32) | u64::from(object.0)
}

impl Item {
    fn digest(&self) -> u64 {
        match self {
            Item::Op { kind, object } => operation_digest(*kind, *object),
            Item::Custody(custody) => custody.digest(),
            Item::Transition { machine, index, from, to } => {
                [machine, from, to].into_iter().fold(fold(0x71, u64::from(*index)), |state, text| fold_str(state, text))
            }
            // A note is formatted only for a reader, so its text cannot be part of the hash.
            Item::Note(_) => 0x72 << 56,
            Item::Began => 0x73 << 56,
            Item::Ended => 0x74 << 56,
            Item::Blocked { on } => (0x75 << 56) | u64::from(on.0),
            Item::TimedOut => 0x76 << 56,
        }
    }
}

/// Puts a row into the table of this run. The text is formatted only when the run is recorded; [`crate::note!`] is the
/// usual way to call it.
#[track_caller]
pub fn note(text: fmt::Arguments<'_>) {
    let location = Location::caller();
    // Formatted outside the call: what is formatted may be anybody's.
    let recording = run::with(|run| run.trace.recording()).unwrap_or(false);
    let text = if recording { text.to_string().into_boxed_str() } else { Box::default() };
    run::with(|run| run.record(Item::Note(text), location));
}

/// Puts a row into the table of this run: `sim::note!("ctx#{id} takes the reply")`.
#[macro_export]
macro_rules! note {
    ($($arg:tt)*) => { $crate::trace::note(::core::format_args!($($arg)*)) };
}

/// Records a state change of the model: `req0_ctx#1 Idle -> SendQueued`.
#[track_caller]
pub fn transition(machine: &'static str, index: u32, from: &'static str, to: &'static str) {
    let location = Location::caller();
    run::with(|run| run.record(Item::Transition { machine, index, from, to }, location));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ledger::{Action, Owner};

    /// Two runs that differ in one event must not have the same hash.
    #[test]
    fn events_that_differ_have_digests_that_differ() {
        let (alice, bob) = (Owner::new("alice", 0), Owner::new("bob", 0));
        let actions = [
            Action::Acquired,
            Action::Used,
            Action::Passed(alice),
            Action::Passed(bob),
            Action::Claimed,
            Action::Unclaimed,
            Action::Retained(2),
            Action::Retained(3),
            Action::Dropped(2),
            Action::Released,
            Action::Callback,
            Action::Begun,
            Action::Completed,
            Action::Retired,
            Action::Broken,
        ];
        let by_alice = actions.map(|action| Custody::new(action, "buffer", 0, alice));
        let others = [
            Custody::new(Action::Acquired, "buffer", 0, bob),
            Custody::new(Action::Acquired, "buffer", 1, alice),
            Custody::new(Action::Acquired, "message", 0, alice),
        ];
        let custody = by_alice.into_iter().chain(others).map(Item::Custody);
        let kinds = (0..).map_while(OpKind::from_index);
        let ops = kinds.flat_map(|kind| [0, 1].map(|object| Item::Op { kind, object: ObjectId(object) }));
        let transition = |machine, index, from, to| Item::Transition { machine, index, from, to };
        let rest = [
            transition("pipe", 0, "Idle", "Busy"),
            transition("pipe", 0, "Busy", "Idle"),
            transition("pipe", 1, "Idle", "Busy"),
            transition("socket", 0, "Idle", "Busy"),
            Item::Note(Box::default()),
            Item::Began,
            Item::Ended,
            Item::Blocked { on: ObjectId(0) },
            Item::Blocked { on: ObjectId(1) },
            Item::TimedOut,
        ];
        let mut seen = BTreeSet::new();
        for item in custody.chain(ops).chain(rest) {
            assert!(seen.insert(item.digest()), "{item:?} has the digest of another event");
        }
    }
}
