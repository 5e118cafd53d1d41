//! Doc tests: `cargo test --doc` under the stand-in.
//!
//! A doc test is a program with a `main`, not a test, so it runs once and outside the simulator. Its code is still
//! compiled against the stand-in, which shows that the crate's documentation compiles with it.

use std::io;
use std::process::{Command, Stdio};

use crate::cargo_flags::CargoFlags;
use crate::error::Error;
use crate::harness_flags::HarnessFlags;
use crate::project::Project;

/// Runs the doc tests of the packages, or, without packages, of those that the flags select; true if they passed. Their
/// output goes to stderr.
pub(crate) fn run(
    project: &Project,
    flags: &CargoFlags,
    packages: &[String],
    harness: &HarnessFlags,
) -> Result<bool, Error> {
    let mut all = if packages.is_empty() { flags.arguments() } else { flags.without_selection() };
    all.retain(|flag| flag != "--doc");
    all.push(String::from("--doc"));
    all.extend(packages.iter().flat_map(|package| [String::from("--package"), package.clone()]));
    let mut command: Command = project.cargo("test", &all)?;
    command.arg("--").args(harness.choice_with_ignored()).stdin(Stdio::null());
    // With `--json`, stdout holds only one JSON value.
    command.stdout(io::stderr());
    let start = |source| Error::Start { program: project.cargo_program().to_owned(), source };
    Ok(command.status().map_err(start)?.success())
}
