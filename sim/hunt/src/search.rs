//! Exploring cells, and handling findings: shared by `hunt` and `run`.

use std::thread::available_parallelism;
use std::time::Duration;

use lastref::explore::{Budget, Cell, Hunt, LoomBudget};
use lastref::scenario::{Judgement, defaults};
use lastref_cli::Stop;

use super::answer::{Answer, Exit};
use super::args::SearchArguments;
use super::clock::Clock;
use super::error::Error;
use super::filter::Chosen;
use super::findings;
use super::outcome::Outcome;
use super::progress::Progress;

/// The results of all cells.
#[derive(Debug)]
pub(super) struct Explored {
    /// In the order of the cells.
    pub(super) outcomes: Vec<Outcome>,
    /// The exit code of the signal that ended it, if one did.
    pub(super) stopped: Option<Exit>,
    /// The wall time of the search.
    pub(super) seconds: f64,
    /// An estimate of the wall time after which every cell is decided.
    pub(super) time_needed: Option<Duration>,
    /// Why a finding could not be saved.
    pub(super) not_saved: Option<Error>,
}

impl Explored {
    /// The number of cells with this judgement.
    pub(super) fn count(&self, judgement: Judgement) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.judgement() == judgement).count()
    }

    /// Schedules of all cells.
    pub(super) fn schedules(&self) -> u64 {
        self.outcomes.iter().map(|outcome| outcome.report.schedules).sum()
    }

    /// The exit code, before anything is printed.
    pub(super) fn exit(&self) -> Exit {
        let of_outcome = |outcome: &Outcome| match outcome.judgement() {
            Judgement::AsExpected => Exit::AsExpected,
            Judgement::NotAsExpected => outcome.trouble().map_or(Exit::Finding, |(exit, _)| exit),
            Judgement::Undecided => Exit::Undecided,
        };
        let worst = self.outcomes.iter().map(of_outcome).chain(self.stopped).max();
        worst.unwrap_or(Exit::AsExpected)
    }

    /// The answer that prints `stdout`: findings are shown despite any later error.
    pub(super) fn into_answer(self, stdout: String) -> Answer {
        let exit = self.exit();
        let remarks = self.outcomes.iter().filter_map(Outcome::trouble).map(|(_, sentence)| sentence).collect();
        let mut answer = Answer { remarks, ..Answer::new(stdout, exit) };
        if let Some(error) = &self.not_saved {
            answer.and_refuse(error);
        }
        answer
    }
}

/// Maximum number of cells for which a hunt prints a row each by default.
pub(super) const ROWS_MAX: usize = 20;

/// The number of jobs: as requested, else one for each core.
pub(super) fn jobs(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| available_parallelism().map_or(1, usize::from))
}

/// Explores `chosen` within the budget of schedules for each cell, and of `time` for all if it is given. `in_rows`: a
/// line of progress for each cell where there is no terminal.
pub(super) fn explore(
    mut chosen: Vec<Chosen>,
    arguments: &SearchArguments,
    time: Option<Duration>,
    jobs: usize,
    in_rows: bool,
) -> Explored {
    let clock = Clock::start();
    for Chosen { cell, expectation } in &mut chosen {
        let budget = expectation.budget(cell.engine, arguments.schedules);
        cell.budget = if time.is_some() && arguments.schedules.is_none() { as_long_as(budget, cell) } else { budget };
    }
    let deadline = time.and_then(|time| clock.deadline(time));
    let stop = Stop::on_signals();
    let progress = Progress::new(&chosen, jobs, deadline, in_rows);
    let hunt = Hunt {
        cells: chosen.iter().map(|chosen| chosen.cell.clone()).collect(),
        seed: arguments.seed,
        // Loom proves something only when its exploration is complete: by default it gets as many
        // executions as a small plan may need.
        loom: arguments.schedules.map_or(defaults::LOOM, LoomBudget::at_most),
        recheck_percent: arguments.recheck,
        deadline,
        jobs,
        stop: stop.flag(),
        observer: &progress,
    };
    let reports = hunt.run();
    progress.clear();
    let stopped = stop.signal().map(Exit::from);
    let seconds = clock.seconds();
    let time_left = progress.time_left();
    let time_needed = time_left.and_then(|left| left.checked_add(Duration::try_from_secs_f64(seconds).ok()?));
    let seed = arguments.seed;
    let outcomes = chosen.iter().zip(reports);
    let mut outcomes: Vec<Outcome> = outcomes
        .map(|(chosen, report)| Outcome { chosen: chosen.clone(), seed, report, shortest: None, repro: None })
        .collect();
    let is_stopped = || stop.is_asked();
    let not_saved = findings::save_the_unexpected(&mut outcomes, &arguments.folder.dir, is_stopped).err();
    Explored { outcomes, stopped, seconds, time_needed, not_saved }
}

/// A search that continues as long as there is time. Loom's ends when it is complete.
fn as_long_as(budget: Budget, cell: &Cell) -> Budget {
    if cell.engine.is_exhaustive() { budget } else { Budget { most: u64::MAX, ..budget } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::FolderArgument;
    use crate::samples::violation;

    /// A hunt through a model with bugs everywhere.
    #[test]
    fn a_hunt_in_which_everything_fails_makes_only_the_first_findings_small() {
        let folder = tempfile::tempdir().expect("a folder for scratch files");
        let chosen = vec![violation().chosen; 3 * findings::SHOWN + 1];
        let folder = FolderArgument { dir: folder.path().to_owned() };
        let arguments = SearchArguments {
            schedules: None,
            strategy: defaults::STRATEGY,
            seed: defaults::SEED,
            recheck: 0,
            folder,
            json: false,
        };
        let explored = explore(chosen, &arguments, None, 2, false);
        assert!(explored.count(Judgement::NotAsExpected) > 3 * findings::SHOWN);
        assert_eq!(explored.outcomes.iter().filter(|outcome| outcome.repro.is_some()).count(), findings::SHOWN);
        assert_eq!(explored.exit(), Exit::Finding);
    }
}
