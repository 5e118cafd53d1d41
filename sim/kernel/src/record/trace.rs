//! The trace: the events of a run in order, with task, object and source line.
//!
//! Every run has the hash of its trace. The events themselves are kept only for runs whose table is drawn.

use std::panic::Location;

use super::custody::Custody;
use super::op::{ObjectId, OpKind, TaskId};
use super::run::Keep;
use super::violation::Violation;
use crate::seed::{fold, fold_name, fold_str, mix};

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// The task.
    pub task: TaskId,
    /// The number of decisions before it.
    pub step: u32,
    /// Virtual time in nanoseconds.
    pub now_ns: u64,
    /// What happened.
    pub item: Item,
    /// The source line.
    pub location: &'static Location<'static>,
}

/// The kind of an event.
#[derive(Clone, Debug)]
pub enum Item {
    /// An operation.
    Op {
        /// Its kind.
        kind: OpKind,
        /// Its object.
        object: ObjectId,
    },
    /// A change of custody.
    Custody(Custody),
    /// A state change of the model.
    Transition {
        /// The state machine.
        machine: &'static str,
        /// Its number.
        index: u32,
        /// The state before.
        from: &'static str,
        /// The state after.
        to: &'static str,
    },
    /// A note of the model.
    Note(Box<str>),
    /// A task began.
    Began,
    /// A task ended.
    Ended,
    /// The task is blocked.
    Blocked {
        /// On this object.
        on: ObjectId,
    },
    /// A timed wait ran out.
    TimedOut,
}

/// The events of one run and their hash.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    keep: Keep,
    /// The events, if they are kept.
    pub events: Vec<Event>,
}

impl Trace {
    /// An empty trace.
    pub fn new(keep: Keep) -> Trace {
        let events = match keep {
            Keep::Hash | Keep::Switches => Vec::new(),
            Keep::Events => Vec::with_capacity(1024),
        };
        Trace { hash: 0x1a57_4ef0, keep, events }
    }

    /// Whether events are kept.
    pub fn is_recording(&self) -> bool {
        self.keep == Keep::Events
    }

    /// The hash of the events so far.
    pub fn hash(&self) -> u64 {
        mix(self.hash)
    }

    /// Adds the run's violation to the hash.
    pub(crate) fn seal(&mut self, violation: &Violation) {
        self.hash = fold_str(fold_str(self.hash, &violation.property), &violation.message);
    }

    /// Adds an event to the hash.
    #[inline(always)]
    pub(crate) fn fold(&mut self, task: TaskId, now_ns: u64, item: &Item, location: &Location<'_>) {
        let place = (u64::from(location.line()) << 32) | u64::from(location.column());
        let who = (u64::from(task.0) << 32) | location.file().len() as u64;
        self.hash = fold(fold(self.hash, who ^ place.rotate_left(21)), item.digest() ^ now_ns.rotate_left(17));
    }
}

impl Item {
    #[inline(always)]
    fn digest(&self) -> u64 {
        match self {
            Item::Op { kind, object } => ((*kind as u64) << 32) | u64::from(object.0),
            Item::Custody(custody) => custody.digest(),
            Item::Transition { machine, index, from, to } => [machine, from, to]
                .into_iter()
                .fold(fold(0x71, u64::from(*index)), |state, text| fold_name(state, text)),
            // A note is formatted only for a reader, so its text cannot be part of the hash.
            Item::Note(_) => 0x72 << 56,
            Item::Began => 0x73 << 56,
            Item::Ended => 0x74 << 56,
            Item::Blocked { on } => (0x75 << 56) | u64::from(on.0),
            Item::TimedOut => 0x76 << 56,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::record::{Action, Owner};

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
