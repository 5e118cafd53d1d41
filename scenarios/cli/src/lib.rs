//! The command line: from arguments to an answer and an exit code.
//!
//! It only reads the list: it parses, asks `lastref` to explore, and returns an answer. One command, one file. Each
//! command returns an [`Answer`]; only [`main`] prints it, so that stdout gets one piece, and a closed pipe ends the
//! program quietly. It is a library so that tests and the fuzzer can call it without a process, and a package of its
//! own so that an edit here compiles no scenario.

mod answer;
mod args;
mod clock;
mod error;
mod explain;
mod filter;
mod findings;
mod folder;
mod hunt;
mod json;
mod list;
mod outcome;
mod overview;
mod progress;
mod replay;
mod run;
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

use clap::Parser;
use lastref::replay::ShrinkLimits;

pub use answer::{Answer, Exit};
use args::{Arguments, Command};
use error::Error;

/// Runs the command of the process's own arguments and prints the answer.
pub fn main() -> ExitCode {
    answer(std::env::args_os()).print()
}

/// Parses `arguments`, the first of which is the program's name, and runs one command.
pub fn answer(arguments: impl IntoIterator<Item = OsString>) -> Answer {
    answered(arguments, None)
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

/// The same as [`answer`], but a hunt or a search ends early: for tests that call it often.
pub fn answer_within(arguments: impl IntoIterator<Item = OsString>, ceiling: &Ceiling) -> Answer {
    answered(arguments, Some(ceiling))
}

fn answered(arguments: impl IntoIterator<Item = OsString>, ceiling: Option<&Ceiling>) -> Answer {
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => command(arguments, ceiling).unwrap_or_else(|error| Answer::refusal(&error)),
        Err(error) => explain::clap_answer(&error),
    }
}

fn command(arguments: Arguments, ceiling: Option<&Ceiling>) -> Result<Answer, Error> {
    let mut command = arguments.command();
    if let Some(ceiling) = ceiling {
        command.lower(ceiling);
    }
    let shrink_limits = ceiling.map_or_else(ShrinkLimits::default, |ceiling| ceiling.shrink);
    match command {
        Command::Hunt(arguments) => hunt::hunt(&arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Shrink(arguments) => shrink::shrink(&arguments, shrink_limits),
    }
}
