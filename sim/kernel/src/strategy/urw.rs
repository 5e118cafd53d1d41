//! A uniform random walk over the remaining events, after the URW of Zhao, Wolff, Mathur and Roychoudhury (ASPLOS
//! 2025), which shuttle implements too.
//!
//! The weight of a task is the number of events that it and its children not yet spawned still have to run. If the
//! counts are right, every interleaving is equally likely; the plain random walk favours interleavings in which short
//! tasks finish early.
//!
//! Deviations: the counts come from the case's reference runs, not from the hunt's first run, so that each run replays
//! alone; a task that is in no reference run gets the lowest count; sleepers follow the run's eagerness.

use super::eagerness::Eagerness;
use super::list::Row;
use super::{Profile, Strategy, StrategyName, View};
use crate::record::{TaskId, TaskKey};
use crate::seed::{Purpose, Stream};

pub(super) const ROW: Row = Row {
    word: "urw",
    parameter: None,
    learns: true,
    build: |seed, _, profile| Box::new(Urw::new(Stream::new(seed, Purpose::Schedule), profile)),
};

impl StrategyName {
    /// The uniform random walk over the remaining events.
    pub const URW: StrategyName = StrategyName::plain("urw");
}

/// The entry of a task without a count.
const UNKNOWN: u32 = 0;

/// The weighted walk.
#[derive(Debug)]
struct Urw {
    stream: Stream,
    eagerness: Eagerness,
    events: Vec<(TaskKey, u32)>,
    fewest: u32,
    /// By task number: the remaining events, at least 1; [`UNKNOWN`] for a task that has not been a candidate.
    remaining: Vec<u32>,
    /// The number of tasks that have a count in `remaining`.
    known: usize,
}

impl Urw {
    /// A walk weighted by the profile's counts.
    fn new(mut stream: Stream, profile: &Profile) -> Urw {
        let eagerness = Eagerness::draw(&mut stream);
        let events: Vec<(TaskKey, u32)> = profile.events.iter().map(|(key, count)| (*key, *count)).collect();
        let fewest = events.iter().map(|(_, count)| *count).min().unwrap_or(1).max(1);
        Urw { stream, eagerness, events, fewest, remaining: Vec::new(), known: 0 }
    }

    fn expected(&self, key: TaskKey) -> u32 {
        match self.events.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(place) => self.events[place].1.max(1),
            Err(_) => self.fewest,
        }
    }

    fn meet(&mut self, view: &View<'_>) {
        if self.known == view.tasks.len() {
            return;
        }
        for id in view.tasks() {
            let task = id.index();
            if self.remaining.len() <= task {
                self.remaining.resize(task + 1, UNKNOWN);
            }
            if self.remaining[task] == UNKNOWN {
                let expected = self.expected(view.key(id));
                self.remaining[task] = expected;
                self.known += 1;
                // The task that ran last has spawned it; the count of that task included the new task's events so far.
                if let Some(parent) = self.remaining.get_mut(view.current.index())
                    && *parent != UNKNOWN
                    && id != view.current
                {
                    *parent = parent.saturating_sub(expected).max(1);
                }
            }
        }
    }
}

impl Strategy for Urw {
    fn watches(&self) -> bool {
        true
    }

    fn choose(&mut self, view: &View<'_>) -> usize {
        self.meet(view);
        let ready = match self.eagerness.split(view, &mut self.stream) {
            Ok(ready) => ready,
            Err(sleeper) => return sleeper,
        };
        let weight = |task: TaskId| u64::from(self.remaining[task.index()]);
        // The sleeper is the last candidate, and has been decided on.
        let total: u64 = view.ready.iter().map(weight).sum();
        let mut drawn = self.stream.below(total);
        let (mut chosen, mut next) = (ready - 1, view.current);
        for (place, task) in view.ready.iter().enumerate() {
            next = task;
            let weight = weight(task);
            if drawn < weight {
                chosen = place;
                break;
            }
            drawn -= weight;
        }
        // The loop has ended at a ready task, and each of these has a count.
        let remaining = &mut self.remaining[next.index()];
        *remaining = remaining.saturating_sub(1).max(1);
        chosen
    }
}
