//! The pooled objects that the ledger follows.
//!
//! Upstream's pools do not check identity: an object that is put twice is handed out twice, and the mistake shows only
//! when bytes reach the wrong client. With [`Audit::Objects`] the ledger reports the first wrong call. With
//! [`Audit::Bytes`] it follows bytes only, so a scenario shows the reported sequence up to the reported symptom. With
//! [`Audit::Answers`] only clients check.
//!
//! A loan is one stay outside the pool, from Get to Put or from Malloc to Free. Each pointer carries the loan by which
//! it was got, so that a stale pointer is distinguished from a pointer of the object's present loan.

use lastref::cell::RaceCell;
use lastref::ledger::{Owner, Resource};
use serde::{Deserialize, Serialize};

use crate::kit::harness::Unscheduled;

/// What the ledger follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audit {
    /// Pooled objects, buffers and bytes.
    Objects,
    /// Buffers and bytes: what upstream's debugging allocator counts.
    Buffers,
    /// Bytes only, wherever they are read: what an application can see.
    Bytes,
    /// Only the bytes that clients receive: in a real server bytes have no tags to check.
    Answers,
}

impl Audit {
    /// Whether requests, responses and body readers are followed.
    pub(super) fn objects(self) -> bool {
        self == Audit::Objects
    }

    /// Whether buffers and their backing arrays are followed.
    pub(super) fn buffers(self) -> bool {
        matches!(self, Audit::Objects | Audit::Buffers)
    }

    /// Whether the server checks the owner of the octets that it handles.
    pub(super) fn octets(self) -> bool {
        self != Audit::Answers
    }

    /// Whether octets must be complete and in order. If not even buffers are followed, a run continues up to the first
    /// octet of another request.
    pub(super) fn order(self) -> bool {
        self.buffers()
    }
}

/// One stay of a pooled thing outside its pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loan(Option<Resource>);

impl Loan {
    /// A stay begins, of a thing of `class`, for `owner`.
    #[track_caller]
    pub(super) fn begin(followed: bool, class: &'static str, owner: Owner) -> Loan {
        Loan(followed.then(|| Resource::acquire(class, owner)))
    }

    /// `by` uses the thing by a pointer of this stay.
    #[track_caller]
    pub(super) fn touch(self, by: Owner) {
        if let Some(resource) = self.0 {
            resource.touch(by);
        }
    }

    /// `by` puts the thing back.
    #[track_caller]
    pub(super) fn end(self, by: Owner) {
        if let Some(resource) = self.0 {
            resource.release(by);
        }
    }

    /// The object does not return to the pool; the garbage collector frees it.
    pub(super) fn left_to_gc(self, reason: &'static str) {
        if let Some(resource) = self.0 {
            resource.keep(reason);
        }
    }
}

/// Plain fields of a Go struct without a lock of their own.
#[derive(Debug)]
pub(super) enum Fields<T> {
    /// An unordered access is a finding.
    Checked(RaceCell<T>),
    /// An unordered access is not checked.
    Plain(Unscheduled<T>),
}

impl<T> Fields<T> {
    /// The fields of a struct called `name`.
    pub(super) fn new(checked: bool, name: &'static str, value: T) -> Fields<T> {
        match checked {
            true => Fields::Checked(RaceCell::named(name, value)),
            false => Fields::Plain(Unscheduled::new(value)),
        }
    }

    /// Reads; the closure touches nothing but the fields.
    #[track_caller]
    pub(super) fn with<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        match self {
            Fields::Checked(cell) => cell.with(read),
            Fields::Plain(value) => read(&value.lock()),
        }
    }

    /// Writes; the closure touches nothing but the fields.
    #[track_caller]
    pub(super) fn with_mut<R>(&self, write: impl FnOnce(&mut T) -> R) -> R {
        match self {
            Fields::Checked(cell) => cell.with_mut(write),
            Fields::Plain(value) => write(&mut value.lock()),
        }
    }
}
