//! `cargo lastref run`, `build` and `check`: cargo's commands under the stand-in, with cargo's own exit code.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::answer::{Answer, Exit};
use crate::args::{BuildJobs, Passed, RunArguments};
use crate::cargo_flags::Kind;
use crate::error::Error;
use crate::project::Project;
use crate::search;

/// Builds a binary, and runs it once, outside the simulator. Variables of a search that the shell has set do not reach
/// it.
pub(crate) fn run(arguments: &RunArguments) -> Result<Answer, Error> {
    let project = Project::open(&arguments.cargo.given, Kind::Run)?;
    let mut flags = arguments.cargo.given.arguments();
    flags.extend(jobs(&arguments.build));
    let mut command = project.cargo("run", &flags)?;
    command.arg("--").args(&arguments.rest);
    for name in search::ALL {
        command.env_remove(name);
    }
    exit(&project, &mut command)
}

/// Passes a command to cargo.
pub(crate) fn pass(subcommand: &str, arguments: &Passed) -> Result<Answer, Error> {
    let project = Project::open(&arguments.cargo.given, Kind::BuildOrCheck)?;
    let mut flags = arguments.cargo.given.arguments();
    flags.extend(jobs(&arguments.build));
    exit(&project, &mut project.cargo(subcommand, &flags)?)
}

fn jobs(build: &BuildJobs) -> Vec<String> {
    build.jobs.iter().flat_map(|jobs| [String::from("--jobs"), jobs.to_string()]).collect()
}

/// Runs the command with this program's own input and output, and returns its exit code.
fn exit(project: &Project, command: &mut Command) -> Result<Answer, Error> {
    let start = |source| Error::Start { program: project.cargo_program().to_owned(), source };
    let status = command.status().map_err(start)?;
    // Shells report a signal as 128 and its number.
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    Ok(Answer::new(String::new(), Exit::Passed(u8::try_from(code).unwrap_or(1))))
}
