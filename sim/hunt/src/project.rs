//! The input of every command: a list of scenarios, and the program's name.
//!
//! Every line that a reader may type begins with the name by which the program was called, since each project has a
//! program of its own.

use std::ffi::OsStr;
use std::path::Path;

use lastref::scenario::{Hint, Scenario, Scenarios};

use super::answer::one_line;
use super::error::Error;

/// The name of a program that was called without one.
const NAMELESS: &str = "lastref";

/// The list of a project, and the name of its program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Project<'a> {
    /// The name to type, without its folder.
    pub(super) program: &'a str,
    pub(super) scenarios: &'a Scenarios,
}

impl Project<'_> {
    /// The scenario called `name`; the error for a component's name also has the command that lists it.
    pub(super) fn find(&self, name: &str) -> Result<Scenario, Error> {
        self.scenarios.find(name).map_err(|unknown| match unknown.hint {
            Some(Hint::IsComponent(component)) => {
                let program = self.program.to_owned();
                Error::IsComponent { unknown, program, component }
            }
            _ => Error::Unknown(unknown),
        })
    }
}

/// The program's name from its first argument, which may be a path.
pub(super) fn program_of(argument: Option<&OsStr>) -> String {
    let name = argument.and_then(|argument| Path::new(argument).file_name()).unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(std::env::consts::EXE_SUFFIX).unwrap_or(&name);
    if name.is_empty() { NAMELESS.to_owned() } else { one_line(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(argument: &str, program: &str) {
        assert_eq!(program_of(Some(OsStr::new(argument))), program);
    }

    #[test]
    fn the_name_is_the_last_part_of_a_path() {
        check("pool", "pool");
        check("target/release/pool", "pool");
        check("./pool\u{1b}[2J", "pool\\u{1b}[2J");
        check("", "lastref");
        check("/", "lastref");
        assert_eq!(program_of(None), "lastref");
    }
}
