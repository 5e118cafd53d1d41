//! `run`: one cell of the table, in full.

use std::fmt::Write;

use lastref::replay::ShrinkLimits;

use super::answer::Answer;
use super::args::RunArguments;
use super::error::Error;
use super::outcome::Outcome;
use super::project::Project;
use super::{filter, findings, json, search};

/// Explores one cell, and shows the failure if there is one.
pub(super) fn run(project: Project<'_>, arguments: &RunArguments) -> Result<Answer, Error> {
    let chosen = filter::of_run(project, arguments)?;
    // One cell is a single unit of work to the job count; the search spreads its seeds.
    let mut explored = search::explore(vec![chosen], &arguments.search, None, search::jobs(None), true);
    let stdout = match explored.outcomes.first_mut() {
        None => String::new(),
        Some(outcome) if arguments.search.json => json::line(&json::Result::of(outcome)),
        Some(outcome) => {
            // An unexpected finding was already shrunk for saving.
            if outcome.shortest.is_none() && explored.stopped.is_none() {
                outcome.shortest =
                    findings::shortest(outcome, ShrinkLimits::default()).map(|shrunk| shrunk.report.table);
            }
            text(project.program, outcome, explored.seconds, explored.stopped.is_some())
        }
    };
    Ok(explored.into_answer(stdout))
}

fn text(program: &str, outcome: &Outcome, seconds: f64, stopped: bool) -> String {
    let mut text = findings::text(program, outcome);
    let report = &outcome.report;
    let _ = writeln!(text, "{}:\n  {}", outcome.name(), outcome.verdict());
    let stopped = if stopped { ", stopped" } else { "" };
    let _ = writeln!(text, "{}, {} steps, {seconds:.1} s{stopped}", outcome.schedules(), report.steps);
    for (sentence, runs) in &report.reached {
        let _ = writeln!(text, "in {runs} of them: {sentence}");
    }
    // A search that is narrower than the default is not required to reach a rare state.
    let never_reached = outcome.never_reached();
    for sentence in outcome.chosen.expectation.not_reached(report) {
        let how = if never_reached.contains(&sentence) { "never reached" } else { "in none of them" };
        let _ = writeln!(text, "{how}: {sentence}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Exit;
    use crate::samples::{clean, deserted};
    use crate::search::Explored;

    #[track_caller]
    fn check(outcome: Outcome, exit: Exit, said: &[&str], unsaid: &[&str]) {
        let told = text("pool", &outcome, 0.1, false);
        assert!(said.iter().all(|part| told.contains(part)), "{told}");
        assert!(!unsaid.iter().any(|part| told.contains(part)), "{told}");
        let explored =
            Explored { outcomes: vec![outcome], stopped: None, seconds: 0.1, time_needed: None, not_saved: None };
        assert_eq!(explored.exit(), exit, "{told}");
    }

    #[test]
    fn a_rare_state_that_a_whole_search_never_reached_is_a_failure_and_of_a_narrow_one_a_remark() {
        let whole = lastref::scenario::defaults::SCHEDULES;
        check(deserted(whole), Exit::Finding, &["clean; never reached: ", "\nnever reached: "], &["in none of them"]);
        check(clean(whole), Exit::AsExpected, &["clean"], &["never reached", "in none of them"]);
        let mut narrow = deserted(20);
        narrow.chosen.cell.budget = narrow.chosen.expectation.budget(narrow.chosen.cell.engine, Some(20));
        check(narrow, Exit::AsExpected, &["in none of them: "], &["never reached"]);
    }

    #[test]
    fn a_search_that_did_not_spend_its_budget_is_undecided() {
        check(deserted(20), Exit::Undecided, &["undecided, clean so far"], &["never reached"]);
        check(deserted(0), Exit::Undecided, &["undecided, not explored"], &["never reached"]);
    }
}
