//! The choice of the task that runs next, behind one engine-neutral trait.
//!
//! A strategy sees every runnable task with the operation it has announced. A sleeper is one more candidate; choosing
//! it advances the clock. Strategies draw from the run's `Schedule` substream only, and know only the [`Profile`] of
//! the case, which is itself a function of the case. A run therefore replays from its seed alone.

mod eagerness;
mod forced;
mod list;

use std::collections::BTreeMap;
use std::fmt;

pub use forced::{Forced, Switch};
pub use list::{StrategyName, UnknownStrategy};

use crate::record::{Op, TaskId, TaskKey};
use crate::task::{Task, TaskTurns};
use crate::tasks::TaskSet;

list::strategies! { mix, pct, pos, random, urw }

/// A task that could run next.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The task, numbered in this run.
    pub task: TaskId,
    /// The task's key, the same in all schedules.
    pub key: TaskKey,
    /// Its next operation; `None` before its first operation.
    pub op: Option<Op>,
    /// The number of decisions while this task ran: its own step number.
    pub turn: u32,
    /// Its deadline in nanoseconds of virtual time, if it is asleep. Choosing it advances the clock.
    pub deadline_ns: Option<u64>,
}

/// What a strategy sees at a decision.
///
/// The candidates are the runnable tasks by number, then at most one sleeper: the one with the earliest deadline, if
/// the timer slack allows it to overtake or no task is runnable. There is always at least one candidate.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) ready: &'a TaskSet,
    pub(crate) tasks: &'a [Task],
    pub(crate) asleep: Option<Asleep>,
    /// The task that ran last, which is not necessarily a candidate.
    pub current: TaskId,
    /// The task that ran last yields, as a spin loop does.
    pub yielding: bool,
}

/// The sleeper that may be woken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asleep {
    pub(crate) task: TaskId,
    pub(crate) deadline_ns: u64,
}

impl View<'_> {
    /// The number of candidates.
    #[inline]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.ready.len() + usize::from(self.asleep.is_some())
    }

    /// The number of candidates that are not sleepers.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// The candidates in order.
    pub fn candidates(&self) -> impl Iterator<Item = Candidate> + '_ {
        let asleep = self.asleep.map(|asleep| self.described(asleep.task, Some(asleep.deadline_ns)));
        self.ready.iter().map(|task| self.described(task, None)).chain(asleep)
    }

    /// The tasks of the candidates in order.
    pub fn tasks(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.ready.iter().chain(self.asleep.map(|asleep| asleep.task))
    }

    /// The candidate at index `place`.
    ///
    /// # Panics
    /// If there is none.
    pub fn candidate(&self, place: usize) -> Candidate {
        match (self.ready.nth(place), self.asleep) {
            (Some(task), _) => self.described(task, None),
            (None, Some(asleep)) if place == self.ready.len() => self.described(asleep.task, Some(asleep.deadline_ns)),
            _ => panic!("there is no candidate {place}: there are {}", self.len()),
        }
    }

    /// The key of the task that ran last.
    pub fn current_key(&self) -> TaskKey {
        self.key(self.current)
    }

    /// That task's own step number.
    pub fn current_turn(&self) -> u32 {
        self.tasks[self.current.index()].turn
    }

    /// The key of a task.
    pub(crate) fn key(&self, task: TaskId) -> TaskKey {
        self.tasks[task.index()].key
    }

    fn described(&self, task: TaskId, deadline_ns: Option<u64>) -> Candidate {
        let Task { key, op, turn, .. } = &self.tasks[task.index()];
        Candidate { task, key: *key, op: *op, turn: *turn, deadline_ns }
    }

    /// The index of `task` among the candidates.
    pub fn position(&self, task: TaskId) -> Option<usize> {
        let is_asleep = || self.asleep.is_some_and(|asleep| asleep.task == task).then_some(self.ready.len());
        self.ready.position(task).or_else(is_asleep)
    }

    /// The choice without preemption: the current task if it can continue, else the first. A task that yields is
    /// followed by the next ready one in the order of numbers, so that yielding tasks do not starve another.
    pub fn unforced(&self) -> usize {
        match self.position(self.current) {
            Some(place) if !self.yielding => place,
            Some(place) => (place + 1) % self.ready.len().max(1),
            None => 0,
        }
    }
}

/// Measurements of a case from reference runs. Their seeds are fixed, so the measurements are a function of the case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The highest number of decisions among more than one candidate in a reference run.
    pub choices: u32,
    /// Decisions per task, including its children: the highest number in a reference run.
    pub events: BTreeMap<TaskKey, u32>,
}

impl Profile {
    /// Adds a reference run: its [choices](crate::Ended::choices), and its [tasks](crate::Ended::tasks).
    pub fn add(&mut self, choices: u32, tasks: &[TaskTurns]) {
        self.choices = self.choices.max(choices);
        let mut turns: Vec<u32> = tasks.iter().map(|task| task.turns).collect();
        // A child has a higher number than its parent, so from last to first each count is complete when it is added.
        for (id, task) in tasks.iter().enumerate().rev() {
            if let Some(parent) = task.parent {
                turns[parent.index()] += turns[id];
            }
        }
        for (task, turns) in tasks.iter().zip(turns) {
            let events = self.events.entry(task.key).or_insert(0);
            *events = (*events).max(turns);
        }
    }
}

/// Chooses the task that takes each step of one run.
pub trait Strategy: fmt::Debug {
    /// Returns the index of a candidate. Called once per step with several candidates.
    fn choose(&mut self, view: &View<'_>) -> usize;

    /// Whether `choose` is also called at steps with one candidate, for a strategy that counts the steps of tasks.
    fn watches(&self) -> bool {
        false
    }
}
