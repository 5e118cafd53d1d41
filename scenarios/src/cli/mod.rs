//! The command line: from arguments to an answer and an exit code.
//!
//! It is a reader of the list, nothing more: it parses, asks `sim` to explore, and gives an answer. One command, one
//! file. Each command returns an [`Answer`]; only [`main`] prints it, so that stdout gets one piece, and a closed pipe
//! ends the program quietly. It is part of the library so that tests and the fuzzer ask it without a process.

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
mod progress;
mod replay;
mod run;
mod search;
mod shrink;
mod source;
mod stop;
mod table;
mod terminal;
mod time_left;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use answer::{Answer, Exit};
use args::{Arguments, Command};
use error::Error;

/// Answers the process's own arguments and prints the answer.
pub fn main() -> ExitCode {
    answer(std::env::args_os()).print()
}

/// Parses `arguments`, the first of which is the program's name, and runs one command.
pub fn answer(arguments: impl IntoIterator<Item = OsString>) -> Answer {
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => command(arguments).unwrap_or_else(|error| Answer::refusal(&error)),
        Err(error) => explain::clap_answer(&error),
    }
}

fn command(arguments: Arguments) -> Result<Answer, Error> {
    match arguments.command() {
        Command::Hunt(arguments) => hunt::hunt(&arguments),
        Command::List(arguments) => list::list(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Shrink(arguments) => shrink::shrink(&arguments),
    }
}
