//! The result of one cell, judged.

use std::path::PathBuf;

use lastref::explore::{Engine, Failure, Report, Verdict};
use lastref::scenario::{Expect, Judgement, finding};

use super::answer::Exit;
use super::filter::Chosen;

/// A cell, its report, and the saved case.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) chosen: Chosen,
    /// The seed of the search; for a replay, the execution's own.
    pub(super) seed: u64,
    pub(super) report: Report,
    /// The shortest interleaving of the finding, if it was shrunk.
    pub(super) shortest: Option<String>,
    /// The saved case: of an unexpected finding, or the file that was replayed.
    pub(super) repro: Option<PathBuf>,
}

impl Outcome {
    /// The finding, if there is one.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.report.failure()
    }

    /// The argument of `replay` that replays the finding. A seed's token does not suffice here, since a saved
    /// case has another token, and an edited one has only its path.
    pub(super) fn token(&self) -> Option<String> {
        self.failure().map(|failure| finding::argument(&failure.replay))
    }

    /// Why the verdict is invalid, in a sentence, and the exit code for it: a run that is not deterministic, or a
    /// harness that could not explore the cell.
    pub(super) fn trouble(&self) -> Option<(Exit, String)> {
        let name = self.name();
        match &self.report.verdict {
            Verdict::Clean | Verdict::Violation(_) => None,
            Verdict::Diverged { message } => {
                Some((Exit::NotDeterministic, format!("{name} is not deterministic: {message}")))
            }
            Verdict::Broken { message } => Some((Exit::Broken, format!("{name} was not explored: {message}"))),
            Verdict::Misused { message } => Some((Exit::Refused, format!("{name} cannot be explored: {message}"))),
        }
    }

    /// Whether the verdict is as the scenario expects.
    pub(super) fn judgement(&self) -> Judgement {
        self.chosen.expectation.judge(&self.chosen.cell, &self.report)
    }

    /// The rare states that count against it: see
    /// [`Expectation::never_reached`](lastref::scenario::Expectation::never_reached).
    pub(super) fn never_reached(&self) -> Vec<&'static str> {
        self.chosen.expectation.never_reached(self.chosen.cell.engine, &self.report)
    }

    /// `component/scenario/variant/engine`.
    pub(super) fn name(&self) -> String {
        self.chosen.name()
    }

    /// The extent of the search, in words.
    pub(super) fn schedules(&self) -> String {
        match self.report.schedules {
            1 => String::from("1 schedule"),
            schedules => format!("{schedules} schedules"),
        }
    }

    /// The verdict in words, and the expected one if it differs.
    pub(super) fn verdict(&self) -> String {
        verdict(&self.chosen, &self.report)
    }
}

/// The verdict of a cell's report in words, and the expected one if it differs.
pub(super) fn verdict(chosen: &Chosen, report: &Report) -> String {
    let Chosen { cell, expectation } = chosen;
    let said = words(cell.engine, report);
    match (expectation.judge(cell, report), expectation.expect) {
        (Judgement::AsExpected, _) => said,
        (Judgement::Undecided, _) if report.schedules == 0 => String::from("undecided, not explored"),
        (Judgement::Undecided, Expect::Clean) => String::from("undecided, clean so far"),
        (Judgement::Undecided, Expect::Violation { .. }) => String::from("undecided, not found so far"),
        (Judgement::NotAsExpected, Expect::Clean) => match &expectation.never_reached(cell.engine, report)[..] {
            [] => format!("{said}; expected: clean"),
            missing => format!("{said}; never reached: {}", missing.join("; ")),
        },
        (Judgement::NotAsExpected, Expect::Violation { property }) => format!("{said}; expected: {property}"),
    }
}

/// The verdict of a report in words. An exploration by loom proves the absence of a finding only if it was complete.
fn words(engine: Engine, report: &Report) -> String {
    match &report.verdict {
        Verdict::Violation(failure) => format!("violation: {}", failure.violation.property),
        Verdict::Diverged { .. } => String::from("not deterministic"),
        Verdict::Broken { .. } => String::from("not explored: the harness failed"),
        Verdict::Misused { .. } => String::from("cannot be explored"),
        Verdict::Clean if engine.is_exhaustive() => match report.preemptions {
            None => String::from("clean, cut short"),
            Some(bound) => format!("clean, all executions with {bound}"),
        },
        Verdict::Clean => String::from("clean"),
    }
}
