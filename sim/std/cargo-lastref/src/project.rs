//! The project that a command works on: cargo's description of it, and cargo's commands under the stand-in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::{Metadata, MetadataCommand};

use crate::answer::one_line;
use crate::cargo_flags::{CargoFlags, Kind};
use crate::environment;
use crate::error::Error;
use crate::profile;
use crate::rustc_flags::{self, Configuration};
use crate::standin::StandIn;
use crate::toolchain::{HOST, Toolchain};

/// The folder below the target folder of the project: the artifacts of plain cargo stay as they are.
const TARGET: &str = "lastref";

/// A project, with the compiler, stand-in and flags for building it.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) metadata: Metadata,
    toolchain: Toolchain,
    configuration: Configuration,
    flags: CargoFlags,
    stand_in: StandIn,
}

impl Project {
    /// Checks compiler and project, and builds the stand-in if it is not there yet.
    pub(crate) fn open(flags: &CargoFlags, kind: Kind) -> Result<Project, Error> {
        let toolchain = Toolchain::find()?;
        // cargo's second word is its own name for the compiler's host.
        if let Some(target) = flags.value("target").filter(|target| ![HOST, "host-tuple"].contains(target)) {
            return Err(Error::Target { target: target.to_owned() });
        }
        let metadata = metadata(&toolchain.cargo, flags)?;
        let folder = std::env::current_dir().map_err(|source| Error::Start { program: PathBuf::from("."), source })?;
        let configuration = Configuration::read(&folder)?;
        if matches!(kind, Kind::Run | Kind::BuildOrCheck) {
            profile::refuse_abort(flags, &configuration, metadata.workspace_root.as_std_path())?;
        }
        // Reported before the long build of the stand-in.
        rustc_flags::add_to(&mut Command::new(&toolchain.cargo), &configuration, Path::new(""))?;
        let stand_in = StandIn::for_compiler(&toolchain)?;
        Ok(Project { metadata, toolchain, configuration, flags: flags.clone(), stand_in })
    }

    /// A cargo command under the stand-in, with these flags of cargo.
    pub(crate) fn cargo(&self, subcommand: &str, flags: &[String]) -> Result<Command, Error> {
        let mut command = Command::new(&self.toolchain.cargo);
        command.arg(subcommand).args(flags);
        if !self.flags.has("target") {
            command.args(["--target", HOST]);
        }
        if !self.flags.has("target-dir") {
            command.arg("--target-dir").arg(self.metadata.target_directory.join(TARGET));
        }
        command.args(profile::debug_information(&self.flags));
        rustc_flags::add_to(&mut command, &self.configuration, self.stand_in.folder())?;
        Ok(command)
    }

    /// The folders of the compiler's libraries.
    pub(crate) fn compiler_libraries(&self) -> &[PathBuf] {
        &self.toolchain.libraries
    }

    /// The variables that cargo's configuration sets for tests.
    pub(crate) fn configured_variables(&self) -> Vec<(String, OsString)> {
        self.configuration.variables(environment::is_set)
    }

    /// The program of cargo, which tests find in their environment.
    pub(crate) fn cargo_program(&self) -> &Path {
        &self.toolchain.cargo
    }
}

/// cargo's description of the workspace.
fn metadata(cargo: &Path, flags: &CargoFlags) -> Result<Metadata, Error> {
    let mut command = Command::new(cargo);
    command.args(["metadata", "--color=never", "--format-version", "1", "--no-deps"]).stdin(Stdio::null());
    if let Some(path) = flags.value("manifest-path") {
        command.args(["--manifest-path", path]);
    }
    for flag in ["locked", "offline", "frozen"] {
        if flags.has(flag) {
            command.arg(format!("--{flag}"));
        }
    }
    let output = command.output().map_err(|source| Error::Start { program: cargo.to_owned(), source })?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        // rustup's lines about a toolchain precede cargo's own error, and the causes of that error follow it.
        let error = said.split_once("error: ").map_or(&*said, |(_, error)| error);
        return Err(Error::Project(one_line(error)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with('{')).unwrap_or_default();
    MetadataCommand::parse(line).map_err(|error| Error::Project(format!("`cargo metadata` cannot be read: {error}")))
}
