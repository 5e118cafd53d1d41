//! The command line: from arguments to an answer and an exit code.

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

use std::process::ExitCode;

use clap::Parser;

pub(crate) use answer::Answer;
use args::{Arguments, Command};
use error::Error;

/// Parses, runs one command, prints its answer.
pub(crate) fn main() -> ExitCode {
    let answer = match Arguments::try_parse() {
        Ok(arguments) => command(arguments).unwrap_or_else(|error| Answer::refusal(&error)),
        Err(error) => explain::clap_answer(&error),
    };
    answer.print()
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
