//! `RefCounted` and `DualRefCounted`: upstream's reference counts, which the ledger's own counts check.
//!
//! Upstream (1.53.0, ref_counted.h, dual_ref_counted.h). `DualRefCounted` keeps a strong and a weak count in one 64-bit
//! word. `Unref` turns the strong ref into a weak one in a single addition; the last strong ref calls `Orphan`; then
//! `Unref` drops that weak ref. The release of the last ref of both kinds deletes the object. So an object has an extra
//! weak ref while `Orphan` runs and shortly after; that ref caused the bug fixed by #34321.
//!
//! The ledger counts both kinds together, by the reasons that upstream's debug build logs. The ledger records a ref
//! before the ref is taken, and removes it after the ref is released. So the ledger's count is never below the real
//! one, and an object that the ledger reports as freed is freed.

use lastref::ledger::{Counted, Owner};
use lastref::property::always;
use lastref::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const STRONG: u64 = 1 << 32;
const WEAK: u64 = 1;

fn strong_of(refs: u64) -> u64 {
    refs >> 32
}

/// `RefCounted`.
#[derive(Debug)]
pub(crate) struct RefCount {
    refs: AtomicU32,
    ledger: Counted,
}

impl RefCount {
    #[track_caller]
    pub(crate) fn new(class: &'static str, holder: Owner) -> RefCount {
        RefCount { refs: AtomicU32::named(class, 1), ledger: Counted::acquire(class, holder) }
    }

    #[track_caller]
    pub(crate) fn reference(&self, holder: Owner) {
        self.ledger.retain(holder);
        let before = self.refs.fetch_add(1, Ordering::Relaxed);
        always("a ref is taken only while one is held", before > 0);
    }

    /// Releases a ref; the last release destroys the object by `delete`.
    #[track_caller]
    pub(crate) fn unref(&self, holder: Owner, delete: impl FnOnce()) {
        let before = self.refs.fetch_sub(1, Ordering::AcqRel);
        if before == 1 {
            delete();
        }
        self.ledger.release(holder);
    }

    #[track_caller]
    pub(crate) fn touch(&self, by: Owner) {
        self.ledger.touch(by);
    }
}

/// `DualRefCounted`.
#[derive(Debug)]
pub(crate) struct DualRefCounted {
    refs: AtomicU64,
    ledger: Counted,
}

impl DualRefCounted {
    /// One strong ref, held by `holder`.
    #[track_caller]
    pub(crate) fn new(class: &'static str, holder: Owner) -> DualRefCounted {
        DualRefCounted { refs: AtomicU64::named(class, STRONG), ledger: Counted::acquire(class, holder) }
    }

    /// `Ref`.
    #[track_caller]
    pub(crate) fn strong_ref(&self, holder: Owner) {
        self.ledger.retain(holder);
        let before = self.refs.fetch_add(STRONG, Ordering::Relaxed);
        always("a strong ref is taken only while one is held", strong_of(before) > 0);
    }

    /// `RefIfNonZero`: takes a strong ref for `holder` and returns true, unless no strong ref is left.
    #[track_caller]
    pub(crate) fn ref_if_non_zero(&self, holder: Owner) -> bool {
        self.ledger.retain(holder);
        let mut refs = self.refs.load(Ordering::Acquire);
        loop {
            if strong_of(refs) == 0 {
                self.ledger.release(holder);
                return false;
            }
            match self.refs.compare_exchange(refs, refs + STRONG, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(found) => refs = found,
            }
        }
    }

    /// `WeakRef`.
    #[track_caller]
    pub(crate) fn weak_ref(&self, holder: Owner) {
        self.ledger.retain(holder);
        self.refs.fetch_add(WEAK, Ordering::Relaxed);
    }

    /// `Unref`. The release of the last strong ref calls `orphan`, that of the last ref of both kinds calls `delete`;
    /// both get `context`.
    #[track_caller]
    pub(crate) fn unref<C>(
        &self,
        holder: Owner,
        context: &mut C,
        orphan: impl FnOnce(&mut C),
        delete: impl FnOnce(&mut C),
    ) {
        let unref = Owner::new("Unref", holder.index());
        self.ledger.pass(holder, unref);
        let before = self.refs.fetch_sub(STRONG - WEAK, Ordering::AcqRel);
        always("a strong ref is given up only while one is held", strong_of(before) > 0);
        if strong_of(before) == 1 {
            orphan(context);
        }
        self.weak_unref(unref, || delete(context));
    }

    /// `WeakUnref`.
    #[track_caller]
    pub(crate) fn weak_unref(&self, holder: Owner, delete: impl FnOnce()) {
        let before = self.refs.fetch_sub(WEAK, Ordering::AcqRel);
        if before == WEAK {
            delete();
        }
        self.ledger.release(holder);
    }

    /// Transfers the ref of `holder` to `to`.
    #[track_caller]
    pub(crate) fn pass(&self, holder: Owner, to: Owner) {
        self.ledger.pass(holder, to);
    }

    /// Whether a strong ref is left. For checks.
    pub(crate) fn has_strong(&self) -> bool {
        strong_of(self.refs.load(Ordering::Relaxed)) > 0
    }

    #[track_caller]
    pub(crate) fn touch(&self, by: Owner) {
        self.ledger.touch(by);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn orphan_comes_with_the_last_strong_ref_and_delete_with_the_last_of_both() {
        let (strong, weak) = (Owner::new("strong", 0), Owner::new("weak", 0));
        let refs = DualRefCounted::new("thing", strong);
        let (orphaned, deleted) = (Cell::new(0), Cell::new(0));
        refs.weak_ref(weak);
        refs.strong_ref(weak);
        refs.unref(strong, &mut (), |()| orphaned.set(1), |()| deleted.set(1));
        assert_eq!((orphaned.get(), deleted.get()), (0, 0));
        refs.unref(weak, &mut (), |()| orphaned.set(2), |()| deleted.set(2));
        assert_eq!((orphaned.get(), deleted.get()), (2, 0));
        assert!(!refs.ref_if_non_zero(strong));
        refs.weak_unref(weak, || deleted.set(3));
        assert_eq!(deleted.get(), 3);
    }
}
