//! Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi and Nagarakatti, ASPLOS 2010).
//!
//! Each task gets a random priority; the runnable task of the highest priority runs, until one of `depth - 1` change
//! points, drawn over the run's length, drops the current task below all others. A bug of depth d in a program of k
//! steps and n tasks is found with a chance of at least 1/(n·k^(d-1)) per run.
//!
//! Deviations from the paper:
//! - The length k is that of the case's reference runs, not of this run.
//! - A step with one candidate is not counted (section 4.1: change points in sequential execution are useless).
//! - At most one change point in four steps is placed. With as many change points as steps, every step would be one,
//!   and the guarantee would be void.
//! - A task that yields drops below all others, so that a spin loop ends.
//! - A task that was chosen `IN_A_ROW` times in a row while another could run drops as well, since a waiting loop may
//!   write, as in `while queue.push(x).is_err() { failed += 1 }`. Each such drop halves the limit, down to
//!   `IN_A_ROW_LEAST`: otherwise a test with a thousand such waits would take 10,000 steps for each of them.
//! - At such a drop, and at every `IN_ONE_ORDER`-th yield, the other tasks get new priorities. Tasks that only drop
//!   below each other would take turns in one order forever, in which one task may always find a queue empty.

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

/// The first limit: a task that is chosen this many times in a row drops below all others. The runs of most tests are
/// shorter.
const IN_A_ROW: u32 = 10_000;
/// The lowest limit, after many drops: longer than most loops that wait.
const IN_A_ROW_LEAST: u32 = 32;
/// Number of yields after which the tasks get new priorities. The runs of most tests have fewer.
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
    /// How often the current task was chosen in a row.
    in_a_row: u32,
    /// The current limit of `in_a_row`, at which the task drops.
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

    /// Draws priorities for those of the first `tasks` tasks that have none.
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
        if self.priorities.len() < view.tasks.len() {
            let most = view.tasks().map(TaskId::index).max().unwrap_or(0);
            self.draw_priorities(most.max(view.current.index()) + 1);
        }
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
