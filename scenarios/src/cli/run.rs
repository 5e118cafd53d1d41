//! `lastref run`: one cell of the table, told in full.

use std::fmt::Write;

use scenarios::Expect;

use super::answer::Answer;
use super::args::RunArguments;
use super::error::Error;
use super::outcome::Outcome;
use super::{filter, findings, json, search};

/// Explores one cell, and shows the failure if there is one.
pub(super) fn run(arguments: &RunArguments) -> Result<Answer, Error> {
    let chosen = filter::of_run(arguments)?;
    // One cell is one unit of work for the count of jobs to spread; its seeds are what is spread.
    let mut explored = search::explore(vec![chosen], &arguments.search, None, search::jobs(None));
    let stdout = match explored.outcomes.first_mut() {
        None => String::new(),
        Some(outcome) if arguments.search.json => json::line(&json::Result::of(outcome)),
        Some(outcome) => {
            // A finding that is not expected was made small already, to be saved.
            let shortest = outcome.shortest.take().or_else(|| findings::shortest(outcome).map(|it| it.report.table));
            outcome.shortest = shortest;
            text(outcome, explored.seconds, explored.stopped)
        }
    };
    Ok(explored.into_answer(stdout))
}

fn text(outcome: &Outcome, seconds: f64, stopped: bool) -> String {
    let mut text = findings::text(outcome);
    let report = &outcome.report;
    let _ = writeln!(text, "{}: {}", outcome.name(), outcome.verdict());
    let stopped = if stopped { ", stopped" } else { "" };
    let _ = writeln!(text, "{}, {} steps, {seconds:.1} s{stopped}", outcome.schedules(), report.steps);
    for (sentence, runs) in &report.reached {
        let _ = writeln!(text, "in {runs} of them: {sentence}");
    }
    // What the scenario says some run must reach is for clean variants, and for searches: see the suite.
    if outcome.chosen.expectation.expect == Expect::Clean && outcome.failure().is_none() {
        for sentence in outcome.chosen.rare_states.iter().filter(|sentence| !report.reached.contains_key(**sentence)) {
            let _ = writeln!(text, "in none of them: {sentence}");
        }
    }
    text
}
