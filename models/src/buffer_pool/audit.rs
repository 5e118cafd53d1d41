//! How much of what is pooled the ledger follows.
//!
//! Upstream's pools know nothing of identity: what is put twice is handed out twice, and nobody notices before bytes
//! turn up at the wrong client. With [`Audit::Objects`] the ledger notices at the first wrong call. With
//! [`Audit::Bytes`] it looks away, as upstream does, and a scenario shows what a user sees: the reported sequence to
//! its reported end. With [`Audit::Answers`] only clients look.
//!
//! A loan is one stay outside the pool, from Get to Put or from Malloc to Free. Each pointer carries the loan by
//! which it was got, so that a pointer that has outlived its loan is told from the pointer of whoever has the object
//! now.

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
    /// Nothing in the server, where bytes have no tags in real life: what clients receive.
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

    /// Whether the server looks whose octets it has in hand.
    pub(super) fn octets(self) -> bool {
        self != Audit::Answers
    }

    /// Whether octets are to come in order and to be all there: with less than buffers followed, a defect takes its
    /// course up to the first octet that is another's.
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

    /// The thing does not go back: the garbage collector has it, once nobody points to it.
    pub(super) fn left_to_gc(self, reason: &'static str) {
        if let Some(resource) = self.0 {
            resource.keep(reason);
        }
    }
}

/// Plain fields of a Go struct, which no lock of their own guards.
#[derive(Debug)]
pub(super) enum Fields<T> {
    /// An access that nothing orders is a finding.
    Checked(RaceCell<T>),
    /// It is what it is in Go.
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
