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

/// Drawn priorities are at least this; those of tasks that yield are below it.
const LEAST_DRAWN: u64 = 1 << 32;

/// The priority of a task's announced operation.
#[derive(Clone, Copy, Debug)]
struct Priority {
    /// See [`announced`].
    operation: u32,
    value: u64,
}

#[derive(Debug)]
struct Pos {
    stream: Stream,
    eagerness: Eagerness,
    /// By task number.
    priorities: Vec<Option<Priority>>,
    /// The priority of the task that has yielded last.
    lowest: u64,
}

/// Identifies the task's announced operation by the number of decisions at which the task was current, including the
/// decision at which it announced the operation. `turn` counts that decision only afterwards, so one is added for the
/// current task.
fn announced(candidate: &Candidate, view: &View<'_>) -> u32 {
    candidate.turn + u32::from(candidate.task == view.current)
}

impl Pos {
    fn new(mut stream: Stream) -> Pos {
        let eagerness = Eagerness::draw(&mut stream);
        Pos { stream, eagerness, priorities: Vec::new(), lowest: LEAST_DRAWN }
    }

    /// The priority of the candidate's operation, drawn if it has none yet.
    fn priority(&mut self, candidate: &Candidate, view: &View<'_>) -> u64 {
        let (task, operation) = (candidate.task.index(), announced(candidate, view));
        if self.priorities.len() <= task {
            self.priorities.resize(task + 1, None);
        }
        if view.yielding && candidate.task == view.current {
            // Below those that have yielded before: of two tasks that wait for each other's yields, neither starves.
            self.lowest -= 1;
            self.priorities[task] = Some(Priority { operation, value: self.lowest });
        }
        match self.priorities[task] {
            Some(priority) if priority.operation == operation => priority.value,
            _ => {
                let value = self.stream.next_u64().max(LEAST_DRAWN);
                self.priorities[task] = Some(Priority { operation, value });
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
            let priority = self.priority(&candidate, view);
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
    use crate::record::{OpKind, TaskId, TaskKey};
    use crate::task::Task;
    use crate::tasks::TaskSet;

    /// The operation that was not chosen keeps its priority; the task that was chosen gets another one for its next.
    #[test]
    fn a_priority_belongs_to_one_operation() {
        fn view<'a>(ready: &'a TaskSet, tasks: &'a [Task], current: usize) -> View<'a> {
            View { ready, tasks, asleep: None, current: TaskId(current as u32), yielding: false }
        }
        let ready: TaskSet = [0, 1].map(TaskId).into_iter().collect();
        let mut chosen_first = [0; 2];
        for seed in 0..20 {
            let mut tasks = [0, 1].map(|nth| Task::new(TaskKey(nth), None));
            let mut pos = Pos::new(Stream::new(seed, Purpose::Schedule));
            let chosen = pos.choose(&view(&ready, &tasks, 0));
            chosen_first[chosen] += 1;
            let values = |pos: &Pos| [0, 1].map(|task| pos.priorities[task].map(|priority| priority.value));
            let before = values(&pos);
            tasks[0].turn += 1;
            pos.choose(&view(&ready, &tasks, chosen));
            let after = values(&pos);
            assert_eq!(before[1 - chosen], after[1 - chosen], "seed {seed}: it has not run");
            assert_ne!(before[chosen], after[chosen], "seed {seed}: it has run");
        }
        assert!(chosen_first.iter().all(|times| *times > 0), "{chosen_first:?}");
    }

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
