//! `lastref hunt`: every matching cell, and a table at the end.

use std::fmt::Write;

use super::answer::Answer;
use super::args::HuntArguments;
use super::error::Error;
use super::filter;
use super::findings;
use super::json;
use super::search::{self, Explored};
use super::table;
use super::terminal::Look;

/// Explores every cell that matches, and says for each whether it is as expected.
pub(super) fn hunt(arguments: &HuntArguments) -> Result<Answer, Error> {
    let chosen = filter::of_hunt(arguments)?;
    let mut explored = search::explore(chosen, &arguments.search, arguments.time, search::jobs(arguments.jobs));
    explored.leave_out_undecided();
    let stdout = if arguments.search.json { json::hunt(&explored) } else { text(&explored, Look::of_stdout()) };
    Ok(explored.into_answer(stdout))
}

/// The findings nobody expected in full, the table, and one line that sums up.
fn text(explored: &Explored, look: Look) -> String {
    let mut text = String::new();
    for outcome in explored.outcomes.iter().filter(|outcome| !outcome.is_as_expected()) {
        text.push_str(&findings::text(outcome));
    }
    text.push_str(&table::render(&explored.outcomes, look));
    let _ = writeln!(text, "{}", summary(explored));
    text
}

fn summary(explored: &Explored) -> String {
    let cells = explored.outcomes.len();
    let expected = explored.outcomes.iter().filter(|outcome| outcome.is_as_expected()).count();
    let mut line =
        format!("{expected} of {cells} as expected, {} schedules in {:.1} s", explored.schedules(), explored.seconds);
    let rechecked: u64 = explored.outcomes.iter().map(|outcome| outcome.report.rechecked).sum();
    if rechecked > 0 {
        let _ = write!(line, ", {rechecked} made again");
    }
    if explored.undecided > 0 {
        let why = if explored.stopped { "stopped" } else { "the time was over" };
        let _ = write!(line, "; {why}, {} undecided", explored.undecided);
    }
    line
}
