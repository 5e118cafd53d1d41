//! Custody: the owner of a resource, the actions that change it, and where each action happened.

use std::fmt;
use std::panic::Location;

use super::op::TaskId;
use super::task::TaskInfo;
use crate::seed::{fold, fold_name};

/// An owner or holder of resources: a role and a number, `caller#3`.
#[derive(Clone, Copy, Debug, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::derived_hash_with_manual_eq, reason = "the manual equality is that of the fields")]
pub struct Owner {
    role: &'static str,
    index: u32,
}

impl PartialEq for Owner {
    /// Compares the numbers first, and texts only if they are in two places: the ledger compares owners at each action.
    #[inline]
    fn eq(&self, other: &Owner) -> bool {
        self.index == other.index && (std::ptr::eq(self.role, other.role) || self.role == other.role)
    }
}

impl Owner {
    /// The owner called `role#index`.
    pub const fn new(role: &'static str, index: u32) -> Owner {
        Owner { role, index }
    }

    /// The role.
    pub const fn role(self) -> &'static str {
        self.role
    }

    /// The number among its role.
    pub const fn index(self) -> u32 {
        self.index
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.role, self.index)
    }
}

/// The circumstances of an action on a resource: its actor, task, step and source line.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    pub(super) by: Owner,
    pub(super) task: TaskId,
    pub(super) step: u32,
    pub(super) location: &'static Location<'static>,
    /// Whether a destructor performed it. A destructor has no source line: the location is that of the task's previous
    /// operation.
    pub(super) in_drop: bool,
}

impl Mark {
    /// `caller#1 in worker.0, step 12, models/src/x.rs:40`.
    pub fn describe(&self, tasks: &[TaskInfo]) -> String {
        let task = tasks.get(self.task.index()).map_or("-", |task| task.name.text);
        let Mark { by, step, location, in_drop, .. } = self;
        let how = if *in_drop { "in a drop after " } else { "" };
        format!("{by} in {task}, step {step}, {how}{}:{}", location.file(), location.line())
    }
}

/// An action on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The resource was acquired.
    Acquired,
    /// It was used.
    Used,
    /// It was passed to this owner.
    Passed(Owner),
    /// It had no owner, and was claimed.
    Claimed,
    /// Its owner gave it up without releasing it.
    Unclaimed,
    /// A reference was added; the count afterwards.
    Retained(u32),
    /// A reference was dropped; the count afterwards.
    Dropped(u32),
    /// It was released.
    Released,
    /// A callback began with the resource as its argument.
    Callback,
    /// An operation began.
    Begun,
    /// The operation completed.
    Completed,
    /// The slot for operations was retired.
    Retired,
    /// A rule was broken.
    Broken,
}

/// One row of custody in a trace.
#[derive(Clone, Copy, Debug)]
pub struct Custody {
    action: Action,
    class: &'static str,
    nth: u32,
    by: Owner,
}

impl Custody {
    /// This action of `by` on the resource `class#nth`.
    pub fn new(action: Action, class: &'static str, nth: u32, by: Owner) -> Custody {
        Custody { action, class, nth, by }
    }

    /// Whether the owner stays the same: a use, an operation that begins or completes, or a retired slot.
    pub fn is_routine(&self) -> bool {
        matches!(self.action, Action::Used | Action::Begun | Action::Completed | Action::Retired)
    }

    /// Its class, and its number in its class.
    pub fn resource(&self) -> (&'static str, u32) {
        (self.class, self.nth)
    }

    /// A number that distinguishes the row from others, for the hash of the trace. Inlined, since the action is a
    /// constant at most places.
    #[inline(always)]
    pub fn digest(&self) -> u64 {
        let (code, detail) = match self.action {
            Action::Acquired => (1, 0),
            Action::Used => (2, 0),
            Action::Passed(to) => (3, fold_name(u64::from(to.index), to.role)),
            Action::Claimed => (4, 0),
            Action::Unclaimed => (5, 0),
            Action::Retained(count) => (6, u64::from(count)),
            Action::Dropped(count) => (7, u64::from(count)),
            Action::Released => (8, 0),
            Action::Callback => (9, 0),
            Action::Begun => (10, 0),
            Action::Completed => (11, 0),
            Action::Retired => (12, 0),
            Action::Broken => (13, 0),
        };
        let who = fold_name(u64::from(self.by.index), self.by.role);
        let what = fold_name(u64::from(self.nth), self.class);
        fold(fold(fold(code, detail), who), what)
    }
}

impl fmt::Display for Custody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Custody { action, class, nth, by } = self;
        match action {
            Action::Acquired => write!(f, "{class}#{nth} acquired by {by}"),
            Action::Used => write!(f, "{class}#{nth} used by {by}"),
            Action::Passed(to) => write!(f, "{class}#{nth} {by} -> {to}"),
            Action::Claimed => write!(f, "{class}#{nth} claimed by {by}"),
            Action::Unclaimed => write!(f, "{class}#{nth} given up by {by}"),
            Action::Retained(count) => write!(f, "{class}#{nth} ref {}->{count} +{by}", count - 1),
            Action::Dropped(count) => write!(f, "{class}#{nth} unref {}->{count} -{by}", count + 1),
            Action::Released => write!(f, "{class}#{nth} released by {by}"),
            Action::Callback => write!(f, "callback on {class}#{nth} by {by}"),
            Action::Begun => write!(f, "{class}#{nth} begun by {by}"),
            Action::Completed => write!(f, "{class}#{nth} completed by {by}"),
            Action::Retired => write!(f, "{class}#{nth} retired by {by}"),
            Action::Broken => write!(f, "{class}#{nth} BROKEN by {by}"),
        }
    }
}
