//! The remaining time of a hunt, estimated from its runs so far.
//!
//! An estimate for planning: a run of a cell takes as long as the cell's earlier runs, or as those of its engine; a
//! defect that was not found is expected within as many further runs as it has had.

use std::time::Duration;

use lastref::explore::{Cell, Engine};

/// Initial estimate of the runs until a defect is found.
const RUNS_OF_DEFECT: u64 = 32;

/// The data of a cell.
#[derive(Debug)]
struct Spent {
    engine: Engine,
    enough: u64,
    is_defect: bool,
    runs: u64,
    seconds: f64,
    is_over: bool,
}

/// The times of all cells.
#[derive(Debug)]
pub(super) struct TimeLeft {
    cells: Vec<Spent>,
    jobs: usize,
}

impl TimeLeft {
    /// Times of a hunt that has not begun. Each cell comes with whether it is a defect, whose search may end early.
    pub(super) fn new<'a>(cells: impl Iterator<Item = (&'a Cell, bool)>, jobs: usize) -> TimeLeft {
        let spent = |(cell, is_defect): (&Cell, bool)| Spent {
            engine: cell.engine,
            enough: cell.budget.enough,
            is_defect,
            runs: 0,
            seconds: 0.0,
            is_over: false,
        };
        TimeLeft { cells: cells.map(spent).collect(), jobs: jobs.max(1) }
    }

    /// Records that more runs of a cell took that long on one thread.
    pub(super) fn add(&mut self, cell: usize, runs: u64, seconds: f64) {
        self.cells[cell].runs += runs;
        self.cells[cell].seconds += seconds;
    }

    /// Records that a cell has ended.
    pub(super) fn end(&mut self, cell: usize) {
        self.cells[cell].is_over = true;
    }

    /// The time until every cell is decided; `None` while an engine has no data.
    pub(super) fn estimate(&self) -> Option<Duration> {
        let open = self.cells.iter().filter(|cell| !cell.is_over);
        let seconds: f64 = open.map(|cell| self.seconds_left(cell)).sum::<Option<f64>>()?;
        Duration::try_from_secs_f64(seconds / self.jobs as f64).ok()
    }

    fn seconds_left(&self, cell: &Spent) -> Option<f64> {
        let own = self.cells.iter().filter(|other| other.engine == cell.engine && other.runs > 0);
        let (runs, seconds) = own.fold((0, 0.0), |(runs, seconds), other| (runs + other.runs, seconds + other.seconds));
        if cell.engine.is_exhaustive() {
            // An exploration's number of executions is unknown before its end: it is taken to be as long as the others.
            let ended = self.cells.iter().filter(|other| other.engine == cell.engine && other.is_over).count();
            return (ended > 0).then(|| seconds / ended as f64);
        }
        let left = cell.enough.saturating_sub(cell.runs);
        let left = if cell.is_defect { left.min(cell.runs.max(RUNS_OF_DEFECT)) } else { left };
        let each = if cell.runs > 0 { Some(cell.seconds / cell.runs as f64) } else { None };
        let each = each.or((runs > 0).then(|| seconds / runs as f64));
        if left == 0 { Some(0.0) } else { each.map(|each| each * left as f64) }
    }
}

/// A time of at least this length, in the form of `--for`, and easy to remember.
pub(super) fn rounded_up(time: Duration) -> String {
    const STEPS: [(u64, &str); 12] = [
        (5, "5s"),
        (10, "10s"),
        (20, "20s"),
        (30, "30s"),
        (60, "1m"),
        (120, "2m"),
        (300, "5m"),
        (600, "10m"),
        (1_200, "20m"),
        (1_800, "30m"),
        (3_600, "1h"),
        (7_200, "2h"),
    ];
    let seconds = time.as_secs_f64();
    let known = STEPS.into_iter().find(|(step, _)| *step as f64 >= seconds);
    known.map_or_else(|| format!("{}h", (seconds / 3_600.0).ceil()), |(_, step)| step.to_owned())
}

/// A time left, in words.
pub(super) fn words(left: Option<Duration>) -> String {
    match left.map(|left| left.as_secs()) {
        None => String::from("time left: not known yet"),
        Some(seconds @ 0..=90) => format!("about {seconds} s left"),
        Some(seconds) => format!("about {} min left", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(engine: Engine, enough: u64, is_defect: bool) -> Spent {
        Spent { engine, enough, is_defect, runs: 0, seconds: 0.0, is_over: false }
    }

    #[test]
    fn the_estimate_goes_by_the_cell_and_else_by_its_engine() {
        let cells = vec![spent(Engine::Fiber, 100, false), spent(Engine::Fiber, 200, false)];
        let mut left = TimeLeft { cells, jobs: 2 };
        assert_eq!(left.estimate(), None);
        left.add(0, 50, 10.0);
        // 50 runs of the first and 200 of the second at 0.2 s, on two threads.
        assert_eq!(left.estimate(), Some(Duration::from_secs(25)));
        left.add(1, 100, 10.0);
        assert_eq!(left.estimate(), Some(Duration::from_secs(10)));
        left.end(0);
        left.end(1);
        assert_eq!(left.estimate(), Some(Duration::ZERO));
    }

    #[test]
    fn a_defect_is_expected_soon_and_loom_as_long_as_its_other_cells() {
        let cells = vec![
            spent(Engine::Fiber, 10_000, true),
            spent(Engine::Loom, 200_000, false),
            spent(Engine::Loom, 200_000, false),
        ];
        let mut left = TimeLeft { cells, jobs: 1 };
        left.add(0, 64, 6.4);
        assert_eq!(left.estimate(), None, "nothing is known of loom");
        left.add(1, 9_000, 3.0);
        left.end(1);
        assert_eq!(left.estimate().map(|left| left.as_millis()), Some(9_400));
    }

    #[test]
    fn a_time_is_rounded_up_to_what_a_flag_takes() {
        for (seconds, rounded) in [(1, "5s"), (31, "1m"), (121, "5m"), (7_201, "3h")] {
            assert_eq!(rounded_up(Duration::from_secs(seconds)), rounded);
            let read = lastref_cli::time(rounded).expect("a flag takes it");
            assert!(read >= Duration::from_secs(seconds));
        }
    }
}
