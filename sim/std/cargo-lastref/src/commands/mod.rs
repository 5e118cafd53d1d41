//! The commands: one file each. A command returns an answer, and only `main` prints it.

mod cargo;
mod doc_tests;
mod shortest;
mod test;
mod token;

use std::ffi::OsString;

use clap::Parser;

use crate::answer::{Answer, clap_answer};
use crate::args::{Arguments, Choice};

/// Parses the arguments, the first of which is the program's name, and runs one command.
pub(crate) fn answer(arguments: Vec<OsString>) -> Answer {
    let command = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments.command,
        Err(error) => return clap_answer(&error),
    };
    let answer = match command {
        Choice::Test(arguments) => test::test(&arguments),
        Choice::Run(arguments) => cargo::run(&arguments),
        Choice::Build(arguments) => cargo::pass("build", &arguments),
        Choice::Check(arguments) => cargo::pass("check", &arguments),
        Choice::Replay(arguments) => token::replay(&arguments),
        Choice::Shrink(arguments) => token::shrink(&arguments),
        Choice::Show(arguments) => token::show(&arguments),
    };
    answer.unwrap_or_else(|error| Answer::refusal(&error))
}
