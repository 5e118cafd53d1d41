//! Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi and Nagarakatti, ASPLOS 2010).
//!
//! Each task gets a random priority; the runnable task of the highest priority runs, until one of `depth - 1` change
//! points, drawn over the run's length, drops the current task below all others. A bug of depth d in a program of k
//! steps and n tasks is found with a chance of at least 1/(n·k^(d-1)) per run.
//!
//! Deviations from the paper: the length k is that of the case's reference runs, not of this run; a step with one
//! candidate is not counted (section 4.1: change points in sequential execution are useless); at most one change point
//! in four steps is placed, since with as many change points as steps every step is one and the guarantee is void; a
//! task that yields drops below all others, so that a spin loop ends; so does a task that was chosen `IN_A_ROW` times
//! in a row while another could run, since a waiting loop may also write, as in
//! `while queue.push(x).is_err() { failed += 1 }`. Each time this happens the number is halved, down to
//! `IN_A_ROW_LEAST`: a test that waits so in each of a thousand rounds would take as many times 10,000 steps. The other
//! tasks get new priorities then, and at one yield in `IN_ONE_ORDER`: tasks that only drop below each other take turns
//! in one order forever, in which the same task may find a queue empty each time.

use super::list::Row;
use super::{Profile, Strategy, StrategyName, View};
use crate::record::TaskId;
use crate::seed::{Purpose, Stream};

pub(super) const ROW: Row = Row {
    word: "pct",
    parameter: Some((1..=99, 3)),
    learns: true,
    build: |seed, depth, profile| Box::new(Pct::new(Stream::new(seed, Purpose::Schedule), depth, profile)),
};

/// A task that is chosen this many times in a row drops below all others. A run of most tests is shorter.
const IN_A_ROW: u32 = 10_000;
/// The number after many times: longer than most loops that wait.
const IN_A_ROW_LEAST: u32 = 32;
/// Yields after which the tasks get new priorities. A run of most tests has fewer.
const IN_ONE_ORDER: u32 = 1_000;

impl StrategyName {
    /// Probabilistic concurrency testing of this depth, 1 to 99.
    pub const fn pct(depth: u32) -> StrategyName {
        StrategyName::with("pct", depth)
    }
}

/// PCT of one depth.
#[derive(Debug)]
struct Pct {
    stream: Stream,
    /// By task number; the higher priority runs first.
    priorities: Vec<u64>,
    change_points: Vec<u32>,
    choices: u32,
    /// The choices since another task was chosen.
    in_a_row: u32,
    /// The current task drops after this many.
    in_a_row_max: u32,
    yields: u32,
    /// The next priority below all that were assigned.
    lowest: u64,
}

impl Pct {
    /// PCT with `depth - 1` change points over the profile's length.
    fn new(mut stream: Stream, depth: u32, profile: &Profile) -> Pct {
        let choices = profile.choices.max(8);
        let points = (depth.max(1) - 1).min(choices / 4);
        let mut change_points: Vec<u32> = Vec::new();
        while change_points.len() < points as usize {
            let point = 1 + stream.below(u64::from(choices)) as u32;
            if !change_points.contains(&point) {
                change_points.push(point);
            }
        }
        Pct {
            stream,
            priorities: Vec::new(),
            change_points,
            choices: 0,
            in_a_row: 0,
            in_a_row_max: IN_A_ROW,
            yields: 0,
            lowest: 1 << 32,
        }
    }

    /// Gives priorities to the tasks up to this number of tasks that have none.
    fn draw_priorities(&mut self, tasks: usize) {
        while self.priorities.len() < tasks {
            // Above every dropped priority; ties are broken by number, and are negligible among 2^63 values.
            self.priorities.push((1 << 32) + (self.stream.next_u64() >> 1).saturating_sub(1 << 32));
        }
    }

    fn drop_below_all(&mut self, task: usize) {
        self.lowest -= 1;
        self.priorities[task] = self.lowest;
    }
}

impl Strategy for Pct {
    fn choose(&mut self, view: &View<'_>) -> usize {
        let most = view.tasks().map(TaskId::index).max().unwrap_or(0);
        self.draw_priorities(most.max(view.current.index()) + 1);
        if view.len() > 1 {
            self.choices += 1;
            self.in_a_row += 1;
            let is_long = self.in_a_row >= self.in_a_row_max;
            if is_long {
                self.in_a_row_max = (self.in_a_row_max / 2).max(IN_A_ROW_LEAST);
            }
            self.yields += u32::from(view.yielding);
            if is_long || view.yielding && self.yields.is_multiple_of(IN_ONE_ORDER) {
                let tasks = self.priorities.len();
                self.priorities.clear();
                self.draw_priorities(tasks);
            }
            if is_long || view.yielding || self.change_points.contains(&self.choices) {
                self.drop_below_all(view.current.index());
            }
        }
        let priority = |(_, task): &(usize, TaskId)| self.priorities[task.index()];
        let (place, task) = view.tasks().enumerate().max_by_key(priority).unwrap_or((0, view.current));
        if task != view.current {
            self.in_a_row = 0;
        }
        place
    }
}
