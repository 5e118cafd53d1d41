//! The command line for a list of scenarios: `hunt`, `run`, `list`, `replay` and `shrink`.
//!
//! A project declares its list with [`lastref::scenarios!`], and its program is one call of [`main()`]:
//!
//! ```no_run
//! # mod my_scenarios { lastref::scenarios! {} }
//! fn main() -> std::process::ExitCode {
//!     lastref_hunt::main(&my_scenarios::SCENARIOS)
//! }
//! ```
//!
//! The command line only reads the list: it parses, asks `lastref` to explore, and returns an answer. One command, one
//! file. Each command returns an [`Answer`]; only [`main()`] prints it, so that stdout gets one piece, and a closed
//! pipe ends the program quietly. Tests and the fuzzer call [`answer()`] without a process.
//!
//! It is a package of its own so that an edit here compiles no model and no scenario. Absent by intent: the name of any
//! component, scenario or program.

mod answer;
mod args;
mod clock;
mod error;
mod explain;
mod filter;
mod findings;
mod folder;
mod help;
mod hunt;
mod json;
mod list;
mod outcome;
mod overview;
mod progress;
mod project;
mod replay;
mod run;
#[cfg(test)]
mod samples;
mod saved;
mod search;
mod shrink;
mod source;
mod table;
mod terminal;
mod time_left;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use lastref::explore::serve_child;
use lastref::replay::ShrinkLimits;
use lastref::scenario::Scenarios;

pub use answer::{Answer, Exit};
use args::{Arguments, Command};
use error::Error;
use project::Project;

/// Runs the command of the process's own arguments on `scenarios`, and prints the answer. Call it first in `main`: the
/// program is also started as the child process that explores a cell under loom. There this function does not return.
///
/// Exit codes: 0 decided and as expected, 1 a finding or a verdict that is not as expected, 2 bad usage or input, or a
/// list that [`Scenarios::check`] refuses, 3 not deterministic, 4 undecided, 101 a bug of the harness (a panic), 130
/// and 143 when a signal ended a search.
pub fn main(scenarios: &Scenarios) -> ExitCode {
    // A loom abort takes its process down, so loom cells run in a child: this very binary, which must answer before it
    // looks at its arguments.
    serve_child(|name| scenarios.case(name));
    answer(scenarios, std::env::args_os()).print()
}

/// Parses `arguments`, the first of which is the program's name, and runs one command on `scenarios`.
///
/// # Examples
/// A test reads the answer of a command:
///
/// ```
/// # mod my_scenarios { lastref::scenarios! {} }
/// let answer = lastref_hunt::answer(&my_scenarios::SCENARIOS, ["my-hunt", "list"]);
/// // This list is empty.
/// assert_eq!(answer.exit, lastref_hunt::Exit::Refused);
/// ```
pub fn answer(scenarios: &Scenarios, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Answer {
    answered(scenarios, arguments, None)
}

/// The most that a command explores, regardless of its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Ceiling {
    /// Schedules for each cell.
    pub schedules: u64,
    /// Time for a hunt.
    pub time: Duration,
    /// Runs that shrinking makes.
    pub shrink: ShrinkLimits,
}

/// The same as [`answer()`], but a hunt or a search ends early: for tests that call it often.
pub fn answer_within(
    scenarios: &Scenarios,
    arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ceiling: &Ceiling,
) -> Answer {
    answered(scenarios, arguments, Some(ceiling))
}

fn answered(
    scenarios: &Scenarios,
    arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ceiling: Option<&Ceiling>,
) -> Answer {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let program = project::program_of(arguments.first().map(OsString::as_os_str));
    let project = Project { program: &program, scenarios };
    match Arguments::of(project, arguments) {
        Ok(arguments) => {
            command(project, arguments, ceiling).unwrap_or_else(|error| Answer::refusal(&error)).said_by(&program)
        }
        Err(error) => explain::clap_answer(&program, &error),
    }
}

fn command(project: Project<'_>, arguments: Arguments, ceiling: Option<&Ceiling>) -> Result<Answer, Error> {
    project.scenarios.check()?;
    let mut command = arguments.command();
    if let Some(ceiling) = ceiling {
        command.lower(ceiling);
    }
    let shrink_limits = ceiling.map_or_else(ShrinkLimits::default, |ceiling| ceiling.shrink);
    match command {
        Command::Hunt(arguments) => hunt::hunt(project, &arguments),
        Command::List(arguments) => list::list(project, &arguments),
        Command::Run(arguments) => run::run(project, &arguments),
        Command::Replay(arguments) => replay::replay(project, &arguments),
        Command::Shrink(arguments) => shrink::shrink(project, &arguments, shrink_limits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_on_an_empty_list_is_refused_and_the_help_is_not() {
        let empty = Scenarios::new(&[]);
        for arguments in [&["pool"][..], &["pool", "hunt"], &["pool", "list"], &["pool", "run", "x"]] {
            let answer = answer(&empty, arguments);
            let sentence =
                "pool: the list of scenarios is empty; write a scenario, and name it in `lastref::scenarios!`";
            assert_eq!((answer.exit, &answer.remarks[..]), (Exit::Refused, &[sentence.to_owned()][..]));
        }
        assert_eq!(answer(&empty, ["pool", "--help"]).exit, Exit::AsExpected);
    }
}
