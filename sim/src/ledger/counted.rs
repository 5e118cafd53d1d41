//! A reference-counted resource with named holders.

use std::panic::Location;

use smallvec::smallvec;

use kernel::record::{Action, Custody, OpKind, Owner, ViolationKind};

use super::entry::{Entry, Holding, names_of};
use super::{Handle, act, adjust, open, peek};

/// A reference-counted resource, freed when its count reaches zero. In addition to the count, the ledger records a
/// named holder for each reference. A release by an owner without a reference still lowers the count, as in C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Counted(Handle);

fn parts(entry: &mut Entry) -> (&mut u32, &mut smallvec::SmallVec<[Owner; 4]>) {
    match &mut entry.holding {
        Holding::Counted { count, holders } => (count, holders),
        _ => unreachable!("invariant: a Counted"),
    }
}

impl Counted {
    /// A new counted resource with one reference, held by `holder`.
    #[track_caller]
    pub fn acquire(class: &'static str, holder: Owner) -> Counted {
        let holding = || Holding::Counted { count: 1, holders: smallvec![holder] };
        Counted(open(class, holder, holding, Location::caller()))
    }

    /// Adds a reference, held by `holder`. Finding: refcount under-run, if the count was zero.
    #[track_caller]
    pub fn retain(self, holder: Owner) {
        act(self.0, OpKind::Transfer, holder, Location::caller(), |entry, mark| {
            if !entry.live {
                return Err((
                    ViolationKind::RefcountUnderrun,
                    format!("{holder} takes a reference to {}, whose count is zero", entry.name()),
                ));
            }
            let (count, holders) = parts(entry);
            *count += 1;
            holders.push(holder);
            let count = *count;
            entry.passed = Some(mark);
            Ok(Custody::new(Action::Retained(count), entry.class, entry.nth, holder))
        });
    }

    /// Passes a reference from `from` to `to`. Findings: use after release; wrong owner, if `from` holds no reference.
    #[track_caller]
    pub fn pass(self, from: Owner, to: Owner) {
        act(self.0, OpKind::Transfer, from, Location::caller(), |entry, mark| {
            entry.must_live(from)?;
            let name = entry.name();
            let (_, holders) = parts(entry);
            let Some(place) = holders.iter().position(|holder| *holder == from) else {
                return Err((
                    ViolationKind::WrongOwner,
                    format!("{from} hands a reference to {name} to {to}, but holds none"),
                ));
            };
            holders[place] = to;
            entry.passed = Some(mark);
            Ok(Custody::new(Action::Passed(to), entry.class, entry.nth, from))
        });
    }

    /// Releases a reference of `holder`, and returns the remaining count. Finding: refcount under-run, if the count was
    /// zero, or becomes zero while the ledger still has a named holder.
    #[track_caller]
    pub fn release(self, holder: Owner) -> u32 {
        act(self.0, OpKind::Release, holder, Location::caller(), |entry, mark| {
            let name = entry.name();
            if !entry.live {
                return Err((
                    ViolationKind::RefcountUnderrun,
                    format!("{holder} releases a reference to {name}, whose count is zero"),
                ));
            }
            let (count, holders) = parts(entry);
            if let Some(place) = holders.iter().position(|other| *other == holder) {
                holders.remove(place);
            }
            *count -= 1;
            let count = *count;
            let left = (count == 0 && !holders.is_empty()).then(|| names_of(holders));
            entry.used = Some(mark);
            if count == 0 {
                entry.live = false;
                entry.released = Some(mark);
            }
            if let Some(left) = left {
                return Err((
                    ViolationKind::RefcountUnderrun,
                    format!("{holder} releases the last reference to {name}, which {left} still holds"),
                ));
            }
            Ok(Custody::new(Action::Dropped(count), entry.class, entry.nth, holder))
        });
        self.count()
    }

    /// Records a use by `by`. Finding: use after release, if the resource was freed.
    #[track_caller]
    pub fn touch(self, by: Owner) {
        act(self.0, OpKind::Use, by, Location::caller(), |entry, mark| {
            entry.must_live(by)?;
            entry.used = Some(mark);
            Ok(Custody::new(Action::Used, entry.class, entry.nth, by))
        });
    }

    /// Compares the model's own count, `counted`, with the ledger. Finding: refcount mismatch, if the ledger's count or
    /// the number of named holders differs.
    #[track_caller]
    pub fn expect_count(self, counted: u32) {
        let by = Owner::new("check", 0);
        act(self.0, OpKind::Use, by, Location::caller(), |entry, _| {
            entry.must_live(by)?;
            let name = entry.name();
            let (count, holders) = parts(entry);
            if *count != counted || holders.len() != counted as usize {
                return Err((
                    ViolationKind::RefcountMismatch,
                    format!("{name} is counted as {counted}, the count is {count}, {} hold it", holders.len()),
                ));
            }
            Ok(Custody::new(Action::Used, entry.class, entry.nth, by))
        });
    }

    /// The count. For checks; not a scheduling point.
    pub fn count(self) -> u32 {
        peek(self.0, |entry| match entry.holding {
            Holding::Counted { count, .. } => count,
            _ => 0,
        })
        .unwrap_or(1)
    }

    /// The holders, once per reference. For checks; not a scheduling point.
    pub fn holders(self) -> Vec<Owner> {
        peek(self.0, |entry| match &entry.holding {
            Holding::Counted { holders, .. } => holders.to_vec(),
            _ => Vec::new(),
        })
        .unwrap_or_default()
    }

    /// Whether the resource has not been freed. For checks; not a scheduling point.
    pub fn is_live(self) -> bool {
        peek(self.0, |entry| entry.live).unwrap_or(true)
    }

    /// Exempts the resource from the leak check at quiescence. `reason` documents why.
    pub fn keep(self, reason: &'static str) {
        adjust(self.0, |entry| entry.kept = Some(reason));
    }
}
