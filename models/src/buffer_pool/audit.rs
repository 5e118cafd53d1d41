//! The pooled objects that the ledger follows.
//!
//! Upstream's pools do not check identity: an object that is put twice is handed out twice, and the mistake shows only
//! when bytes reach the wrong client. With [`Audit::Objects`] the ledger reports the first wrong call. With
//! [`Audit::Bytes`] it follows only bytes, so a run continues to the symptom that was reported upstream. With
//! [`Audit::Answers`] only the clients check bytes.
//!
//! A loan is one use of a pooled object, from Get to Put or from Malloc to Free. Each pointer carries its loan, so the
//! ledger distinguishes a stale pointer from one of the current loan.

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
    /// Whether the ledger follows requests, responses and body readers.
    pub(super) fn objects(self) -> bool {
        self == Audit::Objects
    }

    /// Whether the ledger follows buffers and their backing arrays.
    pub(super) fn buffers(self) -> bool {
        matches!(self, Audit::Objects | Audit::Buffers)
    }

    /// Whether the server checks the owner of the octets that it handles.
    pub(super) fn octets(self) -> bool {
        self != Audit::Answers
    }

    /// Whether octets must be complete and in order. If the ledger does not follow buffers, only an octet of another
    /// request is a violation.
    pub(super) fn order(self) -> bool {
        self.buffers()
    }
}

/// One use of a pooled object, from Get to Put or from Malloc to Free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loan(Option<Resource>);

impl Loan {
    /// Begins a loan of an object of `class` to `owner`; the ledger records it if `followed`.
    #[track_caller]
    pub(super) fn begin(followed: bool, class: &'static str, owner: Owner) -> Loan {
        Loan(followed.then(|| Resource::acquire(class, owner)))
    }

    /// Records that `by` uses the object through a pointer of this loan.
    #[track_caller]
    pub(super) fn touch(self, by: Owner) {
        if let Some(resource) = self.0 {
            resource.touch(by);
        }
    }

    /// Ends the loan: `by` puts the object back.
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

/// The fields of a Go struct that has no lock of its own.
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

    /// Reads the fields. The closure must access nothing else.
    #[track_caller]
    pub(super) fn with<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        match self {
            Fields::Checked(cell) => cell.with(read),
            Fields::Plain(value) => read(&value.lock()),
        }
    }

    /// Writes the fields. The closure must access nothing else.
    #[track_caller]
    pub(super) fn with_mut<R>(&self, write: impl FnOnce(&mut T) -> R) -> R {
        match self {
            Fields::Checked(cell) => cell.with_mut(write),
            Fields::Plain(value) => write(&mut value.lock()),
        }
    }
}
