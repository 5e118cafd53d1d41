//! `hunt`: every matching cell, and a table at the end.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lastref::scenario::Judgement;

use super::answer::Answer;
use super::args::HuntArguments;
use super::error::Error;
use super::project::Project;
use super::search::{self, Explored};
use super::terminal::Look;
use super::{filter, findings, json, overview, table, time_left};

/// The file with a row for each cell, in the folder of saved cases.
const CELLS_FILE: &str = "hunt.txt";

/// Explores every matching cell, and reports for each whether its verdict is as expected.
///
/// Unexpected verdicts are printed last, since they matter most.
pub(super) fn hunt(project: Project<'_>, arguments: &HuntArguments) -> Result<Answer, Error> {
    let chosen = filter::of_hunt(project, arguments)?;
    let in_rows = arguments.verbose || chosen.len() <= search::ROWS_MAX;
    let explored = search::explore(chosen, &arguments.search, arguments.time, search::jobs(arguments.jobs), in_rows);
    if arguments.search.json {
        let stdout = json::hunt(&explored);
        return Ok(explored.into_answer(stdout));
    }
    let (summary, look) = (summary(&explored, arguments.time), Look::of_stdout());
    let mut saved = Ok(None);
    let mut text = if in_rows {
        format!("{}{summary}\n", table::render(&explored.outcomes, look))
    } else {
        saved = save_cells(&explored, &arguments.search.folder.dir).map(Some);
        let file = saved.as_ref().ok().and_then(Option::as_deref).map(|path| path.display().to_string());
        overview::render(project, &explored.outcomes, &summary, file.as_deref(), look)
    };
    text.push_str(&findings::unexpected(project.program, &explored.outcomes, look));
    let mut answer = explored.into_answer(text);
    if let Err(error) = saved {
        // The verdicts are still printed, so the exit code does not change.
        answer.remarks.push(format!("the rows of the cells cannot be saved: {error}; --verbose prints them"));
    }
    Ok(answer)
}

/// Writes a row for each cell.
fn save_cells(explored: &Explored, folder: &Path) -> Result<PathBuf, Error> {
    let refused = |source| Error::Folder { folder: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(refused)?;
    let path = folder.join(CELLS_FILE);
    fs::write(&path, table::render(&explored.outcomes, Look::OF_FILE)).map_err(refused)?;
    Ok(path)
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
        let _ = write!(line, ", {rechecked} repeated");
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

/// A sufficient time: the search's estimate and a quarter more, but at least twice the time that it had.
fn longer(explored: &Explored, time: Option<Duration>) -> String {
    const UNKNOWN: Duration = Duration::from_secs(300);
    let had = time.unwrap_or_default().saturating_mul(2);
    let needed = explored.time_needed.map_or(UNKNOWN, |needed| needed.saturating_mul(5) / 4);
    time_left::rounded_up(needed.max(had))
}
