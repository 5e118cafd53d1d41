//! The choice of the task that runs next, behind one engine-neutral trait.
//!
//! A strategy sees every runnable task with the operation it has announced. A sleeper is one more candidate; choosing
//! it advances the clock. Strategies draw from the run's `Schedule` substream only, and know only the [`Profile`] of
//! the case, which is itself a function of the case. A run therefore replays from its seed alone.

mod eagerness;
mod forced;
mod pct;
mod random;
mod urw;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

pub use forced::{Forced, Switch};
pub use pct::Pct;
pub use random::Random;
use serde::{Deserialize, Serialize};
pub use urw::Urw;

use crate::engine::sched::{Task, TaskSet};
use crate::op::{Op, TaskId, TaskKey};
use crate::seed::{Purpose, Stream};

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
/// the drift allows it to overtake or no task is runnable. There is always at least one candidate.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) ready: &'a TaskSet,
    pub(crate) ready_count: usize,
    pub(crate) tasks: &'a [Task],
    pub(crate) asleep: Option<Asleep>,
    /// The task that ran last; it may not be among the candidates.
    pub current: TaskId,
    /// That task's key.
    pub current_key: TaskKey,
    /// That task's own step number.
    pub current_turn: u32,
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
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.ready_count + usize::from(self.asleep.is_some())
    }

    /// The number of candidates that are not sleepers.
    pub fn ready(&self) -> usize {
        self.ready_count
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

    /// The candidate at `place`.
    ///
    /// # Panics
    /// If there is none.
    pub fn candidate(&self, place: usize) -> Candidate {
        match (self.ready.nth(place), self.asleep) {
            (Some(task), _) => self.described(task, None),
            (None, Some(asleep)) if place == self.ready_count => self.described(asleep.task, Some(asleep.deadline_ns)),
            _ => panic!("there is no candidate {place}: there are {}", self.len()),
        }
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
        let is_asleep = || self.asleep.is_some_and(|asleep| asleep.task == task).then_some(self.ready_count);
        self.ready.position(task).or_else(is_asleep)
    }

    /// The choice without preemption: the current task if it can continue, else the first. A task that yields is
    /// followed by the next ready one in the order of numbers, so that yielding tasks do not starve another.
    pub fn unforced(&self) -> usize {
        match self.position(self.current) {
            Some(place) if !self.yielding => place,
            Some(place) => (place + 1) % self.ready_count.max(1),
            None => 0,
        }
    }
}

/// Advance knowledge of a case: a function of the case, from reference runs with fixed seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The most decisions among more than one candidate that a reference run took.
    pub choices: u32,
    /// Decisions per task, including its children, the most of any reference run.
    pub events: BTreeMap<TaskKey, u32>,
}

/// Chooses, step by step, the task of one run that takes the step.
pub trait Strategy: fmt::Debug {
    /// Returns the index of a candidate. Called once per step with several candidates.
    fn choose(&mut self, view: &View<'_>) -> usize;

    /// Whether to call it at steps with one candidate too, for a strategy that counts the steps of tasks.
    fn watches(&self) -> bool {
        false
    }
}

/// The strategies by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum StrategyName {
    /// Each run uses one of the others, chosen by its seed.
    Mix,
    /// Every runnable task is equally likely.
    Random,
    /// Probabilistic concurrency testing of this depth.
    Pct(u32),
    /// Uniform random walk over the remaining events.
    Urw,
}

impl StrategyName {
    /// The names to list.
    pub const ALL: [StrategyName; 4] =
        [StrategyName::Mix, StrategyName::Random, StrategyName::Pct(3), StrategyName::Urw];

    /// The strategy, ready for the run with `seed`.
    pub fn build(self, seed: u64, profile: &Profile) -> Box<dyn Strategy> {
        let stream = Stream::new(seed, Purpose::Schedule);
        match self {
            StrategyName::Mix => {
                // No single strategy is best everywhere, and the best one is unknown in advance: a third each.
                let parts = [StrategyName::Random, StrategyName::Pct(3), StrategyName::Urw];
                let nth = Stream::new(seed, Purpose::Portfolio).below(parts.len() as u64);
                parts[nth as usize].build(seed, profile)
            }
            StrategyName::Random => Box::new(Random::new(stream)),
            StrategyName::Pct(depth) => Box::new(Pct::new(stream, depth, profile)),
            StrategyName::Urw => Box::new(Urw::new(stream, profile)),
        }
    }

    /// Whether it needs the case's profile.
    pub(crate) fn learns(self) -> bool {
        !matches!(self, StrategyName::Random)
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StrategyName::Mix => f.pad("mix"),
            StrategyName::Random => f.pad("random"),
            StrategyName::Pct(depth) => f.pad(&format!("pct{depth}")),
            StrategyName::Urw => f.pad("urw"),
        }
    }
}

/// A word that names no strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no strategy: one of mix, random, urw, pct1 to pct99")]
pub struct UnknownStrategy(pub String);

impl FromStr for StrategyName {
    type Err = UnknownStrategy;

    fn from_str(word: &str) -> Result<StrategyName, UnknownStrategy> {
        match word {
            "mix" => Ok(StrategyName::Mix),
            "random" => Ok(StrategyName::Random),
            "urw" => Ok(StrategyName::Urw),
            _ => {
                let depth = word.strip_prefix("pct").filter(|digits| !digits.starts_with(['0', '+']));
                match depth.and_then(|digits| digits.parse().ok()) {
                    Some(depth @ 1..=99) => Ok(StrategyName::Pct(depth)),
                    _ => Err(UnknownStrategy(word.to_owned())),
                }
            }
        }
    }
}

impl Serialize for StrategyName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StrategyName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<StrategyName, D::Error> {
        let word = String::deserialize(deserializer)?;
        word.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_reads_back_from_its_name() {
        for name in StrategyName::ALL.into_iter().chain([StrategyName::Pct(1), StrategyName::Pct(99)]) {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        for word in ["", "pct", "pct0", "pct100", "pct03", "pct+3", "Random", "surw"] {
            assert_eq!(word.parse::<StrategyName>(), Err(UnknownStrategy(word.to_owned())));
        }
    }
}
