//! A slot for one pending operation at a time; each operation must complete exactly once.

use std::panic::Location;

use kernel::record::{Action, Custody, OpKind, Owner, ViolationKind};

use super::entry::{Entry, Holding};
use super::{Handle, act, open, peek};

/// A slot in which operations begin and complete: an aio, a registration, an armed receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(Handle);

fn pending(entry: &mut Entry) -> &mut bool {
    match &mut entry.holding {
        Holding::Operation { pending } => pending,
        _ => unreachable!("invariant: a Slot"),
    }
}

impl Slot {
    /// A new slot without a pending operation.
    #[track_caller]
    pub fn new(class: &'static str, owner: Owner) -> Slot {
        Slot(open(class, owner, || Holding::Operation { pending: false }, Location::caller()))
    }

    /// Begins an operation. Findings: second pending, if one is pending; use after release, if the slot was retired.
    #[track_caller]
    pub fn begin(self, by: Owner) {
        act(self.0, OpKind::Transfer, by, Location::caller(), |entry, mark| {
            entry.must_live(by)?;
            let name = entry.name();
            if std::mem::replace(pending(entry), true) {
                return Err((
                    ViolationKind::SecondPending,
                    format!("{by} begins an operation on {name} while one is pending"),
                ));
            }
            entry.passed = Some(mark);
            Ok(Custody::new(Action::Begun, entry.class, entry.nth, by))
        });
    }

    /// Completes the pending operation. Findings: completion count, if none is pending; use after release, if the slot
    /// was retired.
    #[track_caller]
    pub fn complete(self, by: Owner) {
        act(self.0, OpKind::Transfer, by, Location::caller(), |entry, mark| {
            entry.must_live(by)?;
            let name = entry.name();
            if !std::mem::replace(pending(entry), false) {
                return Err((
                    ViolationKind::CompletionCount,
                    format!("{by} completes an operation on {name}, and none is pending"),
                ));
            }
            entry.used = Some(mark);
            Ok(Custody::new(Action::Completed, entry.class, entry.nth, by))
        });
    }

    /// Retires the slot: no further operation may use it. Findings: completion count, if an operation is still pending
    /// and thus can never complete; double release, if the slot was retired before.
    #[track_caller]
    pub fn retire(self, by: Owner) {
        act(self.0, OpKind::Release, by, Location::caller(), |entry, mark| {
            let name = entry.name();
            if !entry.live {
                return Err((ViolationKind::DoubleRelease, format!("{by} retires {name} a second time")));
            }
            if *pending(entry) {
                return Err((
                    ViolationKind::CompletionCount,
                    format!("{by} retires {name} while its operation is pending"),
                ));
            }
            entry.live = false;
            entry.released = Some(mark);
            Ok(Custody::new(Action::Retired, entry.class, entry.nth, by))
        });
    }

    /// Whether an operation is pending. For checks; not a scheduling point.
    pub fn is_pending(self) -> bool {
        peek(self.0, |entry| matches!(entry.holding, Holding::Operation { pending: true })).unwrap_or(false)
    }
}
