//! What came of one cell, judged.

use std::path::PathBuf;

use scenarios::Expect;
use sim::explore::{Engine, Failure, Report, Verdict};

use super::answer::Exit;
use super::filter::Chosen;

/// A cell, its report, and what was saved of it.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) chosen: Chosen,
    /// Where the search started; of a replay, the execution's own.
    pub(super) seed: u64,
    pub(super) report: Report,
    /// The shortest interleaving of the finding, where one was looked for.
    pub(super) shortest: Option<String>,
    /// The saved case: of a finding that was not expected, or the file that was replayed.
    pub(super) repro: Option<PathBuf>,
}

impl Outcome {
    /// The finding, if there is one.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.report.failure()
    }

    /// The word that replays the finding: the last one of its replay line. A seed's token is not enough here, since a
    /// saved case has another.
    pub(super) fn token(&self) -> Option<&str> {
        self.failure().and_then(|failure| failure.replay.split_whitespace().last())
    }

    /// Why the verdict is worth nothing, in a sentence, and the exit code of that: a run that differs from itself, or a
    /// harness that could not explore the cell.
    pub(super) fn trouble(&self) -> Option<(Exit, String)> {
        let name = self.name();
        match &self.report.verdict {
            Verdict::Clean | Verdict::Violation(_) => None,
            Verdict::Diverged { message } => {
                Some((Exit::NotDeterministic, format!("lastref: {name} is not deterministic: {message}")))
            }
            Verdict::Broken { message } => Some((Exit::Broken, format!("lastref: {name} was not explored: {message}"))),
            Verdict::Misused { message } => {
                Some((Exit::Refused, format!("lastref: {name} cannot be explored: {message}")))
            }
        }
    }

    /// Whether it is what the scenario says.
    pub(super) fn is_as_expected(&self) -> bool {
        self.chosen.expectation.is_met_by(self.chosen.cell.engine, &self.report)
    }

    /// Whether more schedules could change the verdict of a cell whose hunt was stopped.
    pub(super) fn is_decided(&self) -> bool {
        !matches!(self.report.verdict, Verdict::Clean) || self.report.complete
    }

    /// Whether any schedule of the cell was made.
    pub(super) fn is_explored(&self) -> bool {
        !matches!(self.report.verdict, Verdict::Clean) || self.report.schedules > 0
    }

    /// `scenario/variant/engine`, with the component in front: how the suite names the same cell.
    pub(super) fn name(&self) -> String {
        let name = self.chosen.cell.case.name();
        format!("{}/{}/{}/{}", name.component, name.scenario, name.variant, self.chosen.cell.engine)
    }

    /// How much was explored, in words.
    pub(super) fn schedules(&self) -> String {
        match self.report.schedules {
            1 => String::from("1 schedule"),
            schedules => format!("{schedules} schedules"),
        }
    }

    /// The verdict in words, and what was expected instead, if it was something else.
    pub(super) fn verdict(&self) -> String {
        let said = verdict(self.chosen.cell.engine, &self.report);
        match self.chosen.expectation.expect {
            _ if self.is_as_expected() => said,
            Expect::Clean => format!("{said}; expected: clean"),
            Expect::Violation { property } => format!("{said}; expected: {property}"),
        }
    }
}

/// The verdict of a report in words. What loom does not find is not there, but only if it was through.
pub(super) fn verdict(engine: Engine, report: &Report) -> String {
    match &report.verdict {
        Verdict::Violation(failure) => format!("violation: {}", failure.property),
        Verdict::Diverged { .. } => String::from("not deterministic"),
        Verdict::Broken { .. } => String::from("not explored: the harness failed"),
        Verdict::Misused { .. } => String::from("cannot be explored"),
        Verdict::Clean if report.schedules == 0 => String::from("not explored"),
        Verdict::Clean if engine == Engine::Loom => match report.preemptions {
            None => String::from("clean, cut short"),
            Some(bound) => format!("clean, all executions with {bound}"),
        },
        Verdict::Clean => String::from("clean"),
    }
}
