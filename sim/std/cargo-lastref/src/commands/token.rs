//! `cargo lastref replay`, `shrink` and `show`: the one run that a token names.
//!
//! A replay executes the run twice, and the two traces must be equal: a replay that shows another run would mislead its
//! reader.

use std::time::Duration;

use cargo_metadata::Package;

use crate::answer::{Answer, Exit};
use crate::args::{ShowArguments, TokenArguments};
use crate::cargo_flags::Kind;
use crate::error::Error;
use crate::executable::{self, Executable};
use crate::finding::{self, Replay};
use crate::json;
use crate::outcome::{Outcome, Status};
use crate::process::{self, Limits};
use crate::progress::count;
use crate::project::Project;
use crate::search;
use crate::table::{self, Rows};
use crate::token::Token;
use lastref_cli::Stop;

use super::shortest;

/// The time limit of a search for a shorter run.
const SHRINK_TIME: Duration = Duration::from_secs(120);

/// Executes the run, and shows it; exit code 1 if it has a finding.
pub(crate) fn replay(arguments: &TokenArguments) -> Result<Answer, Error> {
    let case = Case::open(arguments)?;
    let outcome = case.run(arguments)?;
    let mut answer = Answer::new(String::new(), outcome.status.exit());
    let is_over = matches!(outcome.status, Status::Hung | Status::Misused | Status::Broken);
    // A run without a report has no trace to compare. The trace of a finding decides alone: the reference runs before
    // it may differ, for example by a file that the first of them creates.
    let trace = |outcome: &Outcome| outcome.report.trace_hash.clone().or_else(|| outcome.report.traces_hash.clone());
    if !is_over && trace(&case.run(arguments)?) != trace(&outcome) {
        answer.remarks.push(String::from("cargo lastref: not deterministic: two runs of this token differ"));
        answer.exit = Exit::NotDeterministic;
    }
    answer.stdout = match (arguments.json, outcome.status) {
        (true, _) => json::line(&json::Test::of(&outcome)),
        (false, Status::Passed) => finding::clean(&outcome, Rows::Folded),
        (false, _) => finding::text(&outcome, &case.replay, Rows::Folded),
    };
    if outcome.status == Status::Passed {
        answer.remarks.push(String::from(
            "cargo lastref: if the code has changed, this is another run; `cargo lastref test` searches again",
        ));
    }
    Ok(answer)
}

/// Executes the run, and shows its finding on one line and its table.
pub(crate) fn show(arguments: &ShowArguments) -> Result<Answer, Error> {
    let case = Case::open(&arguments.token)?;
    let outcome = case.run(&arguments.token)?;
    let rows = if arguments.full { Rows::All } else { Rows::Folded };
    let stdout = match arguments.token.json {
        true => json::line(&json::Test::of(&outcome)),
        false => format!("{}:\n  {}\n{}", outcome.name(), shown(&outcome), table::render(&outcome.report, rows)),
    };
    let mut answer = Answer::new(stdout, outcome.status.exit());
    if outcome.report.events.is_empty() {
        answer.remarks.push(String::from("cargo lastref: this run has no recorded events"));
    }
    Ok(answer)
}

/// The finding of a run on one line.
fn shown(outcome: &Outcome) -> String {
    match outcome.status {
        Status::Passed => String::from("no finding"),
        _ => finding::headline(outcome),
    }
}

/// Searches for a shorter run with the same finding.
pub(crate) fn shrink(arguments: &TokenArguments) -> Result<Answer, Error> {
    let case = Case::open(arguments)?;
    let mut outcome = case.run(arguments)?;
    let mut remarks = Vec::new();
    if outcome.status == Status::Finding {
        let settings = &arguments.search;
        let Token { test, run, .. } = &case.token;
        let shorter = shortest::find(&case.executable, test, settings, run, SHRINK_TIME, case.stop);
        match shorter.filter(|it| it.kind == outcome.report.kind && it.length() < outcome.report.length()) {
            Some(shorter) => {
                let [before, after] = [&outcome.report, &shorter].map(|report| report.length().0);
                remarks.push(format!("cargo lastref: {} between tasks, from {before}", count(after as u64, "switch")));
                outcome.shorter = Some(shorter);
            }
            None => remarks.push(String::from("cargo lastref: no shorter run was found")),
        }
    } else {
        remarks.push(String::from("cargo lastref: this run has no finding, so there is nothing to shrink"));
    }
    let stdout = match (arguments.json, outcome.status) {
        (true, _) => json::line(&json::Test::of(&outcome)),
        (false, Status::Passed) => finding::clean(&outcome, Rows::Folded),
        (false, _) => finding::text(&outcome, &case.replay, Rows::Folded),
    };
    Ok(Answer { stdout, remarks, exit: outcome.status.exit() })
}

/// The run of a token, with the executable and the settings that repeat it.
struct Case {
    text: String,
    token: Token,
    executable: Executable,
    replay: Replay,
    stop: &'static Stop,
}

impl Case {
    /// Reads the token, and builds its executable.
    fn open(arguments: &TokenArguments) -> Result<Case, Error> {
        let token: Token = arguments.token.parse()?;
        let text = arguments.token.trim().to_owned();
        let stop = Stop::on_signals();
        let flags = &arguments.cargo.given;
        let project = Project::open(flags, Kind::Token)?;
        let gone = |what: String| Error::Gone { token: text.clone(), what };
        let is_own = |package: &&Package| package.name.as_str() == token.package;
        let Some(package) = project.metadata.workspace_packages().into_iter().find(is_own) else {
            return Err(gone(format!("package `{}`", token.package)));
        };
        if !package.targets.iter().any(|target| executable::target(target).as_ref() == Some(&token.target)) {
            return Err(gone(format!("target `{}`", token.target)));
        }
        let mut cargo = flags.arguments();
        // The search has built the packages that cargo selects here, and their features depend on that selection.
        let is_selected = project.metadata.workspace_default_packages().iter().any(is_own);
        if !flags.selects_packages() && !is_selected {
            cargo.extend([String::from("--package"), token.package.clone()]);
        }
        cargo.extend(token.target.flags());
        let built = executable::build(&project, &cargo, stop)?;
        let is_named = |it: &Executable| it.package == token.package && it.target == token.target;
        let executable = built.executables.into_iter().find(is_named);
        let executable = executable.ok_or_else(|| gone(format!("target `{}`", token.target)))?;
        let mut code = flags.of_code();
        code.extend(search::flags(&arguments.search));
        Ok(Case { text, token, executable, replay: Replay { flags: code }, stop })
    }

    /// Executes the run.
    fn run(&self, arguments: &TokenArguments) -> Result<Outcome, Error> {
        let variables = search::of_replay(&arguments.search, &self.token.run);
        let limits = Limits { timeout: None, hang: arguments.hang.hang };
        let mut finished = process::run(&self.executable, &self.token.test, &variables, limits, self.stop);
        if let Some(signal) = self.stop.signal() {
            return Err(Error::Stopped(signal));
        }
        // The number includes the reference runs that precede it, so it means nothing for a replay.
        if let Some(place) = &mut finished.place {
            place.run = None;
        }
        let ran_none = finished.ran_none();
        let outcome = Outcome::of(&self.executable, &self.token.test, finished);
        match outcome.status {
            Status::PassedPlain if ran_none => {
                Err(Error::Gone { token: self.text.clone(), what: format!("test `{}`", self.token.test) })
            }
            Status::PassedPlain => Err(Error::NoReport { token: self.text.clone() }),
            _ => Ok(outcome),
        }
    }
}
