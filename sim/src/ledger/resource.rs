//! A resource with one owner.

use std::panic::Location;

use kernel::record::{Action, Custody, OpKind, Owner, ViolationKind};

use super::entry::Holding;
use super::{Handle, act, adjust, open, peek};

/// A resource with exactly one owner: an allocation, a buffer, a descriptor.
///
/// The handle is a `Copy` id, like a C pointer: it can still be used after the release, and each such use is a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(Handle);

impl Resource {
    /// A new resource of `class`, owned by `owner`. Name the class as upstream names the type.
    #[track_caller]
    pub fn acquire(class: &'static str, owner: Owner) -> Resource {
        let holding = || Holding::Exclusive { owner: Some(owner) };
        Resource(open(class, owner, holding, Location::caller()))
    }

    /// Records a use by `by`, whether or not `by` owns the resource. Finding: use after release.
    #[track_caller]
    pub fn touch(self, by: Owner) {
        act(self.0, OpKind::Use, by, Location::caller(), |entry, mark| {
            entry.must_live(by)?;
            entry.used = Some(mark);
            Ok(Custody::new(Action::Used, entry.class, entry.nth, by))
        });
    }

    /// Records a use by the owner. Findings: use after release; wrong owner, if `by` does not own the resource.
    #[track_caller]
    pub fn access(self, by: Owner) {
        act(self.0, OpKind::Use, by, Location::caller(), |entry, mark| {
            entry.must_live(by)?;
            match entry.holding {
                Holding::Exclusive { owner: Some(owner) } if owner == by => {}
                Holding::Exclusive { owner } => {
                    let whose = owner.map_or("which has no owner".to_owned(), |owner| format!("which {owner} owns"));
                    return Err((ViolationKind::WrongOwner, format!("{by} uses {}, {whose}", entry.name())));
                }
                _ => unreachable!("invariant: a Resource"),
            }
            entry.used = Some(mark);
            Ok(Custody::new(Action::Used, entry.class, entry.nth, by))
        });
    }

    /// Passes ownership from `from` to `to`. Findings: use after release; wrong owner, if `from` does not own the
    /// resource.
    #[track_caller]
    pub fn transfer(self, from: Owner, to: Owner) {
        act(self.0, OpKind::Transfer, from, Location::caller(), |entry, mark| {
            entry.must_live(from)?;
            let name = entry.name();
            let Holding::Exclusive { owner } = &mut entry.holding else { unreachable!("invariant: a Resource") };
            if *owner != Some(from) {
                let whose = owner.map_or("it has no owner".to_owned(), |owner| format!("{owner} owns it"));
                return Err((ViolationKind::WrongOwner, format!("{from} hands {name} to {to}, but {whose}")));
            }
            *owner = Some(to);
            entry.passed = Some(mark);
            Ok(Custody::new(Action::Passed(to), entry.class, entry.nth, from))
        });
    }

    /// Gives `by` exclusive ownership of a resource without an owner, such as a buffer taken from a pool. Findings: use
    /// after release; aliased, if the resource has an owner.
    #[track_caller]
    pub fn claim(self, by: Owner) {
        act(self.0, OpKind::Transfer, by, Location::caller(), |entry, mark| {
            entry.must_live(by)?;
            let name = entry.name();
            let Holding::Exclusive { owner } = &mut entry.holding else { unreachable!("invariant: a Resource") };
            if let Some(owner) = owner {
                return Err((ViolationKind::Aliased, format!("{by} claims {name}, which {owner} still owns")));
            }
            *owner = Some(by);
            entry.passed = Some(mark);
            Ok(Custody::new(Action::Claimed, entry.class, entry.nth, by))
        });
    }

    /// Ends the ownership of `by` without releasing the resource, as when a buffer returns to a pool. Findings: use
    /// after release; double release, if the resource has no owner; wrong owner, if it has another one.
    #[track_caller]
    pub fn unclaim(self, by: Owner) {
        act(self.0, OpKind::Transfer, by, Location::caller(), |entry, mark| {
            entry.must_live(by)?;
            let name = entry.name();
            let Holding::Exclusive { owner } = &mut entry.holding else { unreachable!("invariant: a Resource") };
            match owner {
                Some(owner) if *owner == by => {}
                Some(owner) => {
                    return Err((ViolationKind::WrongOwner, format!("{by} gives up {name}, which {owner} owns")));
                }
                None => {
                    return Err((ViolationKind::DoubleRelease, format!("{by} gives up {name} a second time")));
                }
            }
            *owner = None;
            entry.passed = Some(mark);
            Ok(Custody::new(Action::Unclaimed, entry.class, entry.nth, by))
        });
    }

    /// Releases the resource. Finding: double release. Like C's `free`, the call does not check the owner.
    #[track_caller]
    pub fn release(self, by: Owner) {
        act(self.0, OpKind::Release, by, Location::caller(), |entry, mark| {
            if !entry.live {
                return Err((ViolationKind::DoubleRelease, format!("{by} releases {} a second time", entry.name())));
            }
            entry.live = false;
            entry.released = Some(mark);
            Ok(Custody::new(Action::Released, entry.class, entry.nth, by))
        });
    }

    /// Records the start of a callback whose argument is this resource. Finding: callback after teardown, if it was
    /// released.
    #[track_caller]
    pub fn callback(self, by: Owner) {
        act(self.0, OpKind::Use, by, Location::caller(), |entry, mark| {
            if !entry.live {
                return Err((
                    ViolationKind::CallbackAfterTeardown,
                    format!("a callback by {by} runs on {} after its release", entry.name()),
                ));
            }
            entry.used = Some(mark);
            Ok(Custody::new(Action::Callback, entry.class, entry.nth, by))
        });
    }

    /// Whether the resource has not been released. For checks; not a scheduling point.
    pub fn is_live(self) -> bool {
        peek(self.0, |entry| entry.live).unwrap_or(true)
    }

    /// The owner. For checks; not a scheduling point.
    pub fn owner(self) -> Option<Owner> {
        peek(self.0, |entry| match entry.holding {
            Holding::Exclusive { owner } => owner,
            _ => None,
        })
        .flatten()
    }

    /// Exempts the resource from the leak check at quiescence. `reason` documents why.
    pub fn keep(self, reason: &'static str) {
        adjust(self.0, |entry| entry.kept = Some(reason));
    }
}
