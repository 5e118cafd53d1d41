//! Partial order sampling (Yuan, Yang and Gu, CAV 2018).
//!
//! Each operation that a task has announced gets a random priority; the highest runs. The operations that conflict
//! with it (on the same object, one of the two writing) get new priorities. The sample is therefore one of the orders
//! of conflicting operations: the orders of independent operations make no difference, and take no share of the
//! probability.
//!
//! Deviations from the paper: sleepers follow the run's eagerness; a task that yields has the lowest priority until its
//! next operation, so that a spin loop ends.

use super::eagerness::Eagerness;
use super::list::Row;
use super::{Candidate, Strategy, StrategyName, View};
use crate::record::{ObjectId, Op};
use crate::seed::{Purpose, Stream};

pub(super) const ROW: Row = Row {
    word: "pos",
    parameter: None,
    learns: false,
    build: |seed, _, _| Box::new(Pos::new(Stream::new(seed, Purpose::Schedule))),
};

impl StrategyName {
    /// Partial order sampling.
    pub const POS: StrategyName = StrategyName::plain("pos");
}

/// The priority of a task's announced operation, which the task's own step number identifies.
#[derive(Clone, Copy, Debug)]
struct Priority {
    turn: u32,
    value: u64,
}

#[derive(Debug)]
struct Pos {
    stream: Stream,
    eagerness: Eagerness,
    /// By task number.
    priorities: Vec<Option<Priority>>,
}

impl Pos {
    fn new(mut stream: Stream) -> Pos {
        let eagerness = Eagerness::draw(&mut stream);
        Pos { stream, eagerness, priorities: Vec::new() }
    }

    /// The priority of the candidate's operation, drawn if it has none yet.
    fn priority(&mut self, candidate: &Candidate) -> u64 {
        let task = candidate.task.index();
        if self.priorities.len() <= task {
            self.priorities.resize(task + 1, None);
        }
        match self.priorities[task] {
            Some(priority) if priority.turn == candidate.turn => priority.value,
            _ => {
                // 0 is reserved for a task that yields.
                let value = self.stream.next_u64().max(1);
                self.priorities[task] = Some(Priority { turn: candidate.turn, value });
                value
            }
        }
    }
}

/// Whether the order of the two operations can make a difference.
fn conflict(one: Option<Op>, other: Option<Op>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    one.object != ObjectId::NONE && one.object == other.object && (one.kind.writes() || other.kind.writes())
}

impl Strategy for Pos {
    fn choose(&mut self, view: &View<'_>) -> usize {
        let ready = match self.eagerness.split(view, &mut self.stream) {
            Ok(ready) => ready,
            Err(sleeper) => return sleeper,
        };
        let (mut chosen, mut highest) = (0, None);
        for (place, candidate) in view.candidates().take(ready).enumerate() {
            let mut priority = self.priority(&candidate);
            if view.yielding && candidate.task == view.current {
                priority = 0;
                self.priorities[candidate.task.index()] = Some(Priority { turn: candidate.turn, value: 0 });
            }
            if highest.is_none_or(|highest| priority > highest) {
                (chosen, highest) = (place, Some(priority));
            }
        }
        let op = view.candidate(chosen).op;
        for (place, other) in view.candidates().take(ready).enumerate() {
            if place != chosen && conflict(op, other.op) {
                self.priorities[other.task.index()] = None;
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::*;
    use crate::record::OpKind;

    #[test]
    fn operations_conflict_if_they_share_an_object_and_one_writes() {
        let op = |kind, object| Some(Op { kind, object: ObjectId(object), location: Location::caller() });
        assert!(conflict(op(OpKind::Store, 1), op(OpKind::Load, 1)));
        assert!(!conflict(op(OpKind::Load, 1), op(OpKind::Load, 1)));
        assert!(!conflict(op(OpKind::Store, 1), op(OpKind::Store, 2)));
        assert!(!conflict(op(OpKind::Store, 1), None));
        let nothing = Some(Op { kind: OpKind::Spawn, object: ObjectId::NONE, location: Location::caller() });
        assert!(!conflict(nothing, nothing));
    }
}
