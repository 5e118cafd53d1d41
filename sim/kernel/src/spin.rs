//! Loops that wait for another task without yielding: `while flag.load(Acquire) == 0 { spin_loop() }`.
//!
//! A scheduler that lets such a task continue as long as it can would never run the other one. A task that repeats the
//! same operation again and again, and changes nothing in between, therefore counts as spinning: each further round is
//! a yield, which strategies treat like `yield_now`.
//!
//! The operation that marks a round need not be the first one: a task may read other things before it enters its loop.
//! As in Brent's search for a cycle (BIT 20, 1980), a mark that does not recur within a window is replaced by the
//! current operation, and the next window is twice as long. So a loop of any length is found after any prefix.
//!
//! After many rounds the mark moves to the next operation. A loop may also do work, as in
//! `while !done { queue.steal() }`: if it always yielded between the two operations of a steal, other tasks would take
//! every item.

use std::panic::Location;

use crate::record::{Op, OpKind};

/// Rounds after which a loop counts as spinning. Fewer would match a few retries; more would lengthen each wait.
const ROUNDS: u32 = 8;
/// Rounds after which the mark moves.
const ROUNDS_OF_A_MARK: u32 = 64;
/// The first window: longer than a round of most loops.
const WINDOW: u32 = 16;

/// A task's operations since it last changed anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spin {
    /// The operation that marks the start of a round.
    mark: Option<Op>,
    rounds: u32,
    /// Operations since the mark.
    since: u32,
    /// The mark is replaced after this many operations without it.
    window: u32,
}

impl Spin {
    /// Records that the task announces `op`. Returns true if this begins another round of a spinning loop.
    #[inline]
    pub fn announce(&mut self, op: Op) -> bool {
        if may_change_nothing(op.kind) {
            return self.looks(op);
        }
        self.end();
        false
    }

    /// Like [`Spin::announce`], for an operation that may change nothing.
    #[inline(never)]
    fn looks(&mut self, op: Op) -> bool {
        match self.mark {
            None => {
                *self = Spin { mark: Some(op), rounds: 0, since: 0, window: WINDOW };
                false
            }
            Some(mark) if is_same(mark, op) => {
                self.rounds += 1;
                self.since = 0;
                if self.rounds == ROUNDS_OF_A_MARK {
                    self.mark = None;
                }
                self.rounds >= ROUNDS
            }
            Some(_) => {
                self.since += 1;
                if self.since == self.window {
                    *self = Spin { mark: Some(op), rounds: 0, since: 0, window: self.window.saturating_mul(2) };
                }
                false
            }
        }
    }

    /// Ends the spin, since the task has changed something.
    pub fn end(&mut self) {
        self.mark = None;
    }
}

/// Whether the operation may change nothing: a read, or an operation that may fail. [`Spin::end`] is called after a
/// success.
fn may_change_nothing(kind: OpKind) -> bool {
    matches!(kind, OpKind::Load | OpKind::Rmw | OpKind::TryLock)
}

fn is_same(one: Op, other: Op) -> bool {
    one.kind == other.kind && one.object == other.object && is_same_place(one.location, other.location)
}

fn is_same_place(one: &Location<'_>, other: &Location<'_>) -> bool {
    std::ptr::eq(one, other) || is_copy(one, other)
}

/// Whether both are locations of one call. Where a function is instantiated twice, a build may hold the location of its
/// call twice; the schedule would depend on the build if these were two places.
#[cold]
fn is_copy(one: &Location<'_>, other: &Location<'_>) -> bool {
    let position = |location: &Location<'_>| (location.line(), location.column());
    position(one) == position(other) && one.file() == other.file()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ObjectId;

    fn op(kind: OpKind, object: u32, location: &'static Location<'static>) -> Op {
        Op { kind, object: ObjectId(object), location }
    }

    #[test]
    fn a_loop_over_two_loads_spins_after_its_rounds_and_a_scan_of_many_does_not() {
        let (here, there) = (Location::caller(), Location::caller());
        let mut spin = Spin::default();
        let rounds = (0..20).map(|_| {
            let first = spin.announce(op(OpKind::Load, 0, here));
            assert!(!spin.announce(op(OpKind::Load, 1, there)), "a round is counted once");
            first
        });
        assert_eq!(rounds.filter(|spins| *spins).count(), 20 - ROUNDS as usize);
        let mut scan = Spin::default();
        assert!((0..100).all(|object| !scan.announce(op(OpKind::Load, object, here))));
    }

    #[test]
    fn what_changes_something_ends_the_spin() {
        let here = Location::caller();
        let mut spin = Spin::default();
        for _ in 0..20 {
            assert!(!spin.announce(op(OpKind::Rmw, 0, here)));
            spin.end();
        }
        for _ in 0..20 {
            assert!(!spin.announce(op(OpKind::Load, 0, here)));
            assert!(!spin.announce(op(OpKind::Store, 1, here)));
        }
    }

    #[test]
    fn a_loop_yields_at_each_of_its_operations_in_time() {
        let here = Location::caller();
        let mut spin = Spin::default();
        let mut yields = [0; 3];
        for _ in 0..1000 {
            for (object, yields) in yields.iter_mut().enumerate() {
                *yields += u32::from(spin.announce(op(OpKind::Load, object as u32, here)));
            }
        }
        assert!(yields.iter().all(|yields| *yields > 200), "{yields:?}");
    }

    #[test]
    fn a_loop_spins_after_reads_that_do_not_come_again_however_long_it_is() {
        let here = Location::caller();
        let nth = |nth: usize| op(OpKind::Load, nth as u32, here);
        for (before, round) in [(1, 3), (5, 16), (40, 17), (3, 100)] {
            let mut spin = Spin::default();
            for read in 0..before {
                assert!(!spin.announce(nth(read)));
            }
            let mut yields = 0;
            for _ in 0..40 {
                yields += (0..round).filter(|place| spin.announce(nth(before + place))).count();
            }
            assert!(yields >= 20, "{yields} rounds of {round} operations after {before} yield");
        }
    }

    #[test]
    fn a_place_whose_location_a_build_holds_twice_is_one_place() {
        let here = Location::caller();
        let copy = &*Box::leak(Box::new(*here));
        let mut spin = Spin::default();
        let spins = (0..20).map(|nth| spin.announce(op(OpKind::Load, 0, if nth % 2 == 0 { here } else { copy })));
        assert_eq!(spins.filter(|spins| *spins).count(), 20 - ROUNDS as usize);
    }

    #[test]
    fn loads_of_one_object_at_two_places_are_two_operations_of_a_round() {
        let (here, there) = (Location::caller(), Location::caller());
        let mut spin = Spin::default();
        for _ in 0..20 {
            spin.announce(op(OpKind::Load, 0, here));
            assert!(!spin.announce(op(OpKind::Load, 0, there)), "a round is counted once");
        }
    }
}
