//! Loops that wait for another task without yielding: `while flag.load(Acquire) == 0 { spin_loop() }`.
//!
//! A scheduler that lets such a task go on as long as it can would never let the other one run. So a task that comes back
//! to the same operation again and again, having changed nothing in between, is taken to spin: each further round is a
//! yield, which strategies answer as they answer `yield_now`.

use crate::op::{Op, OpKind};

/// After how many rounds a loop counts as spinning. Fewer would take a retry or two for one; more makes each wait longer.
const ROUNDS: u32 = 8;

/// What a task has done since it last changed anything.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spin {
    /// The first operation since then: where a round begins.
    first: Option<Op>,
    rounds: u32,
}

impl Spin {
    /// The task announces `op`; true if that begins one more round of a loop that spins.
    pub(crate) fn announce(&mut self, op: Op) -> bool {
        match self.first {
            _ if !may_change_nothing(op.kind) => {
                self.end();
                false
            }
            None => {
                *self = Spin { first: Some(op), rounds: 0 };
                false
            }
            Some(first) if is_same(first, op) => {
                self.rounds += 1;
                self.rounds >= ROUNDS
            }
            Some(_) => false,
        }
    }

    /// The task has changed something.
    pub(crate) fn end(&mut self) {
        self.first = None;
    }
}

/// Reads, and attempts that may fail; [`Spin::end`] is called after those that do not.
fn may_change_nothing(kind: OpKind) -> bool {
    matches!(kind, OpKind::Load | OpKind::Rmw | OpKind::TryLock)
}

fn is_same(one: Op, other: Op) -> bool {
    one.kind == other.kind && one.object == other.object && std::ptr::eq(one.location, other.location)
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;
    use crate::op::ObjectId;

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
}
