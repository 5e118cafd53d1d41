//! `lastref hunt`: every matching cell, and a table at the end.

use std::fmt::Write;
use std::time::Duration;

use scenarios::Judgement;

use super::answer::Answer;
use super::args::HuntArguments;
use super::error::Error;
use super::search::{self, Explored};
use super::terminal::Look;
use super::{filter, findings, json, table, time_left};

/// Explores every matching cell, and reports for each whether its verdict is as expected.
pub(super) fn hunt(arguments: &HuntArguments) -> Result<Answer, Error> {
    let chosen = filter::of_hunt(arguments)?;
    let explored = search::explore(chosen, &arguments.search, arguments.time, search::jobs(arguments.jobs));
    let stdout = if arguments.search.json {
        json::hunt(&explored)
    } else {
        let mut text = findings::unexpected(&explored.outcomes);
        text.push_str(&table::render(&explored.outcomes, Look::of_stdout()));
        let _ = writeln!(text, "{}", summary(&explored, arguments.time));
        text
    };
    Ok(explored.into_answer(stdout))
}

/// A summary in one line.
fn summary(explored: &Explored, time: Option<Duration>) -> String {
    let expected = explored.count(Judgement::AsExpected);
    let mut line = format!("{expected} of {} as expected", explored.outcomes.len());
    let unexpected = explored.count(Judgement::NotAsExpected);
    if unexpected > 0 {
        let _ = write!(line, ", {unexpected} not as expected");
    }
    let schedules = explored.schedules();
    let noun = if schedules == 1 { "schedule" } else { "schedules" };
    let _ = write!(line, ", {schedules} {noun} in {:.1} s", explored.seconds);
    let rechecked: u64 = explored.outcomes.iter().map(|outcome| outcome.report.rechecked).sum();
    if rechecked > 0 {
        let _ = write!(line, ", {rechecked} made again");
    }
    if explored.stopped.is_some() {
        line.push_str("; stopped");
    }
    match explored.count(Judgement::Undecided) {
        0 => {}
        undecided if explored.stopped.is_some() => {
            let _ = write!(line, ", {undecided} undecided");
        }
        undecided if time.is_some_and(|time| explored.seconds >= time.as_secs_f64()) => {
            let _ = write!(line, "; {undecided} undecided: give it --for {}", longer(explored, time));
        }
        undecided => {
            let _ = write!(line, "; {undecided} undecided: give it more --schedules");
        }
    }
    line
}

/// A time that should suffice: the search's own estimate and a quarter more, and more than it had.
fn longer(explored: &Explored, time: Option<Duration>) -> String {
    const UNKNOWN: Duration = Duration::from_secs(300);
    let had = time.unwrap_or_default().saturating_mul(2);
    let needed = explored.time_needed.map_or(UNKNOWN, |needed| needed.saturating_mul(5) / 4);
    time_left::rounded_up(needed.max(had))
}
