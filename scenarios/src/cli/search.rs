//! Exploring cells, and what follows from a finding: shared by `hunt` and `run`.
//!
//! A finding that is not expected is made small and saved at once, because it may be the first and last time that anyone
//! sees it. A run that differs from itself when it is made again is no finding: the exit code is 3.

use std::sync::atomic::Ordering;
use std::thread::available_parallelism;
use std::time::Duration;

use scenarios::defaults;
use sim::explore::{Hunt, LoomBudget};

use super::answer::{Answer, Exit};
use super::args::SearchArguments;
use super::clock::Clock;
use super::error::Error;
use super::filter::Chosen;
use super::outcome::Outcome;
use super::progress::Progress;
use super::{findings, stop};

/// What came of all cells.
#[derive(Debug)]
pub(super) struct Explored {
    /// In the order of the cells.
    pub(super) outcomes: Vec<Outcome>,
    /// Whether Ctrl-C ended it.
    pub(super) stopped: bool,
    /// How many cells were left out, because they were not decided when it was stopped.
    pub(super) undecided: usize,
    /// The wall time of the search.
    pub(super) seconds: f64,
    /// Why a finding could not be saved.
    pub(super) not_saved: Option<Error>,
}

impl Explored {
    /// Whether every verdict is what its scenario says.
    pub(super) fn is_as_expected(&self) -> bool {
        !self.outcomes.is_empty() && self.outcomes.iter().all(Outcome::is_as_expected)
    }

    /// Leaves out what a stopped hunt did not come to decide, and what the end of the time left unexplored: it is neither as
    /// expected nor against it.
    pub(super) fn leave_out_undecided(&mut self) {
        let cells = self.outcomes.len();
        let stopped = self.stopped;
        self.outcomes.retain(|outcome| if stopped { outcome.is_decided() } else { outcome.is_explored() });
        self.undecided = cells - self.outcomes.len();
    }

    /// Schedules of all cells.
    pub(super) fn schedules(&self) -> u64 {
        self.outcomes.iter().map(|outcome| outcome.report.schedules).sum()
    }

    /// The exit code, before anything is printed.
    pub(super) fn exit(&self) -> Exit {
        let worst = self.outcomes.iter().filter_map(Outcome::trouble).map(|(exit, _)| exit).max();
        worst.unwrap_or(if self.is_as_expected() { Exit::AsExpected } else { Exit::Finding })
    }

    /// The answer that prints `stdout`: what was found is shown whatever went wrong after it was found.
    pub(super) fn into_answer(self, stdout: String) -> Answer {
        let exit = self.exit();
        let remarks = self.outcomes.iter().filter_map(Outcome::trouble).map(|(_, sentence)| sentence).collect();
        let mut answer = Answer { stdout, remarks, exit };
        if let Some(error) = &self.not_saved {
            answer.and_refuse(error);
        }
        answer
    }
}

/// How many jobs to run: as many as were asked for, else one for each core.
pub(super) fn jobs(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| available_parallelism().map_or(1, usize::from))
}

/// Explores `chosen` within the budget of schedules for each cell and of `time` for all.
///
/// Given neither, both have a default; given one, the other has no bound.
pub(super) fn explore(
    chosen: Vec<Chosen>,
    arguments: &SearchArguments,
    time: Option<Duration>,
    jobs: usize,
) -> Explored {
    let clock = Clock::start();
    let schedules = arguments.schedules.unwrap_or(if time.is_some() { u64::MAX } else { defaults::SCHEDULES });
    let time = time.or(arguments.schedules.is_none().then_some(defaults::TIME));
    let stop = stop::on_ctrl_c();
    let progress = Progress::new(&chosen);
    let hunt = Hunt {
        cells: chosen.iter().map(|chosen| chosen.cell.clone()).collect(),
        seed: arguments.seed,
        schedules,
        // A budget that was asked for holds for every cell; else loom, which proves something only when it is through,
        // gets as many executions as a small plan may need.
        loom: arguments.schedules.map_or(defaults::LOOM, LoomBudget::at_most),
        recheck_percent: arguments.recheck,
        deadline: time.and_then(|time| clock.deadline(time)),
        jobs,
        stop,
        observer: &progress,
    };
    let reports = hunt.run();
    progress.clear();
    let seed = arguments.seed;
    let mut outcomes: Vec<Outcome> = chosen
        .into_iter()
        .zip(reports)
        .map(|(chosen, report)| Outcome { chosen, seed, report, shortest: None, repro: None })
        .collect();
    let not_saved = save_the_unexpected(&mut outcomes, arguments).err();
    let stopped = stop.load(Ordering::Relaxed);
    Explored { outcomes, stopped, undecided: 0, seconds: clock.seconds(), not_saved }
}

fn save_the_unexpected(outcomes: &mut [Outcome], arguments: &SearchArguments) -> Result<(), Error> {
    for outcome in outcomes.iter_mut().filter(|outcome| !outcome.is_as_expected()) {
        if let Some(shrunk) = findings::shortest(outcome) {
            outcome.shortest = Some(shrunk.report.table);
            outcome.repro = Some(shrunk.repro.save(&arguments.folder.dir)?);
        }
    }
    Ok(())
}
