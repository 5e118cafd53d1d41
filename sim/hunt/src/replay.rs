//! `replay`: repeats one execution.
//!
//! It runs the execution twice. The two must be equal, and equal to the saved execution if there is one: a replay that
//! shows another execution than it names would send its reader after the wrong bug.

use std::fmt::Write;

use lastref::explore::Verdict;
use lastref::scenario::finding;

use super::answer::{Answer, Exit};
use super::args::ReplayArguments;
use super::error::Error;
use super::json;
use super::outcome::Outcome;
use super::project::Project;
use super::source::{Execution, Source};

/// Runs the execution that the argument names, and shows it; exit code 1 if it violates a property.
pub(super) fn replay(project: Project<'_>, arguments: &ReplayArguments) -> Result<Answer, Error> {
    let source = Source::read(project, &arguments.case, &arguments.folder.dir)?;
    let report = source.run()?;
    let mut exit = if report.failure().is_some() { Exit::Finding } else { Exit::AsExpected };
    let mut remarks = Vec::new();
    match &report.verdict {
        Verdict::Broken { message } => {
            remarks.push(format!("`{}` was not run: {message}", arguments.case));
            exit = Exit::Broken;
        }
        Verdict::Misused { message } => {
            remarks.push(format!("`{}` cannot be run: {message}", arguments.case));
            exit = Exit::Refused;
        }
        Verdict::Clean | Verdict::Violation(_) | Verdict::Diverged { .. } => {}
    }
    // A seed does not fix real threads: the token repeats the plan, and the operating system chooses the schedule.
    if !source.chosen.cell.engine.replays() {
        remarks.push(String::from("real threads do not replay; this is another execution of the same plan"));
    } else if source.run()?.trace_hash != report.trace_hash {
        remarks.push(format!("`{}` is not deterministic: run twice, it gives two traces", arguments.case));
        exit = Exit::NotDeterministic;
    } else {
        remarks.extend(source.remark(&report)?);
    }
    let seed = source.seed();
    let repro = match source.execution {
        Execution::Seed(_) => None,
        Execution::Saved { path, .. } => Some(path),
    };
    let outcome = Outcome { chosen: source.chosen, seed, report, shortest: None, repro };
    let stdout = match arguments.json {
        true => json::line(&json::Result::of(&outcome)),
        false => text(project.program, &outcome, arguments.full),
    };
    Ok(Answer { remarks, ..Answer::new(stdout, exit) })
}

/// The failure and its table, or the table of a clean execution. `full` shows every operation.
pub(super) fn text(program: &str, outcome: &Outcome, full: bool) -> String {
    let report = &outcome.report;
    let mut text = match outcome.failure() {
        Some(failure) => finding::head(program, failure) + if full { &failure.full_table } else { &failure.table },
        None => format!(
            "{}: clean, {} steps\n{}",
            outcome.name(),
            report.steps,
            if full { &report.full_table } else { &report.table }
        ),
    };
    let length = text.trim_end().len();
    text.truncate(length);
    let _ = writeln!(text);
    text
}
