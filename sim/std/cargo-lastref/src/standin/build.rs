//! Builds the stand-in: cargo compiles the runtime, and rustc the crates named `std` and `core`.
//!
//! The build uses a temporary folder, which is renamed when the build is complete. So a process that dies during a
//! build does not leave an incomplete stand-in. The messages are kept if the build fails.

use std::fs;
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cargo_metadata::Message;

use crate::clock::Clock;
use crate::environment;
use crate::error::Error;
use crate::progress::Progress;
use crate::terminal::{GOOD, styled};
use crate::toolchain::{HOST, Toolchain};
use lastref_cli::Stop;

use super::sources;

/// The start of the name of a folder in which a build is in progress.
const SCRATCH: &str = "build-";
/// The packages that cargo builds.
const PACKAGES: [&str; 2] = ["lastref-runtime", "lastref-macros"];
/// The crates that rustc builds: cargo could not distinguish a package named `std` from the real one.
const CRATES: [&str; 2] = ["std", "core"];
/// The profile. Without debug information, frames of the runtime keep their whole names, by which a report leaves them
/// out. Each crate is one codegen unit, since the path of an operation crosses a dozen modules and should be inlined.
const PROFILE: &str = "\n[profile.release]\nopt-level = 3\ndebug = false\ncodegen-units = 1\npanic = \"unwind\"\n";
/// Makes our copies of crates from the registry differ from the user's: two crates of one name, version and settings
/// would have one identity, and rustc refuses to link them.
const IDENTITY: &str = "-Cmetadata=lastref";
/// Variables for the build of the user's crate, which must not affect the build of the stand-in.
const PREFIXES: [&str; 5] = ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_", "CARGO_UNSTABLE_", "RUSTC_"];
const NAMES: [&str; 5] = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_INCREMENTAL", "RUSTC", "CARGO_MAKEFLAGS"];

/// Builds the stand-in in `folder`, which does not exist yet. The cache is locked.
pub(super) fn build(toolchain: &Toolchain, cache: &Path, folder: &Path) -> Result<(), Error> {
    let clock = Clock::start();
    let progress = Progress::new(0);
    let version = &toolchain.version;
    let building = styled(GOOD, &format!("{:>12}", "Building"));
    progress.say(&format!("{building} the stand-in for std with rustc {version} (once for this compiler)"));
    let written = |source| Error::Write { path: cache.to_owned(), source };
    remove_remains(cache);
    let scratch = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(cache).map_err(written)?;
    let root = scratch.path();
    write_sources(root).map_err(written)?;
    let result = root.join("result");
    fs::create_dir(&result).map_err(written)?;
    let mut log = String::new();
    let built = Build { toolchain, root, result: &result, log: &mut log }.all();
    if let (Err(_), Some(signal)) = (&built, Stop::on_signals().signal()) {
        return Err(Error::Stopped(signal));
    }
    if let Err(reason) = built {
        let path = cache.join("failed.log");
        fs::write(&path, &log).map_err(written)?;
        return Err(Error::StandIn { version: version.clone(), reason, log: path });
    }
    fs::rename(&result, folder).map_err(written)?;
    let seconds = clock.seconds();
    progress.say(&format!("{} in {seconds:.1} s: {}", styled(GOOD, &format!("{:>12}", "Built")), folder.display()));
    Ok(())
}

/// Removes the folders of killed builds. The cache is locked, so no build is in progress.
fn remove_remains(cache: &Path) {
    let entries = fs::read_dir(cache).into_iter().flatten().filter_map(Result::ok);
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(SCRATCH)) {
        // A folder that remains costs only space; the next build tries again.
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// Writes the embedded files.
fn write_sources(root: &Path) -> io::Result<()> {
    for (path, text) in sources::FILES {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
    }
    let manifest = root.join("Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    fs::write(manifest, text + PROFILE)
}

/// A build in progress. Its errors are reasons in a few words; the log has the rest.
struct Build<'a> {
    toolchain: &'a Toolchain,
    root: &'a Path,
    result: &'a Path,
    log: &'a mut String,
}

impl Build<'_> {
    fn all(&mut self) -> Result<(), String> {
        let mut runtime = None;
        let mut macros = None;
        for file in self.packages()? {
            let Some(name) = file.file_name() else { continue };
            let target = self.result.join(name);
            fs::copy(&file, &target).map_err(|error| format!("`{}`: {error}", target.display()))?;
            let name = name.to_string_lossy();
            if name.starts_with("liblastref_runtime") {
                runtime = Some(target);
            } else if name.starts_with("liblastref_macros") {
                macros = Some(target);
            }
        }
        let (Some(runtime), Some(macros)) = (runtime, macros) else {
            return Err(String::from("cargo built neither runtime nor macros"));
        };
        for name in CRATES {
            self.named(name, &runtime, &macros)?;
        }
        Ok(())
    }

    /// The libraries of the packages and of their dependencies.
    fn packages(&mut self) -> Result<Vec<PathBuf>, String> {
        // The first attempt is offline: the crates from the build of this program are nearly always sufficient.
        let mut output = self.cargo(&["--offline"])?;
        if !output.status.success() {
            output = self.cargo(&[])?;
        }
        if !output.status.success() {
            return Err(first_error(&String::from_utf8_lossy(&output.stderr)));
        }
        let mut files = Vec::new();
        for message in Message::parse_stream(Cursor::new(output.stdout)) {
            let Ok(Message::CompilerArtifact(artifact)) = message else { continue };
            files.extend(artifact.filenames.into_iter().map(PathBuf::from).filter(|path| is_library(path)));
        }
        Ok(files)
    }

    fn cargo(&mut self, flags: &[&str]) -> Result<Output, String> {
        let mut command = Command::new(&self.toolchain.cargo);
        // Without colours, since `first_error` looks for the word at the start of a line (CARGO_TERM_COLOR=always).
        command.args(["build", "--release", "--color=never", "--target", HOST]);
        command.arg("--message-format=json-render-diagnostics").args(flags);
        command.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
        command.arg("--target-dir").arg(self.root.join("target"));
        self.clean(&mut command).env("RUSTC", &self.toolchain.rustc).env("CARGO_ENCODED_RUSTFLAGS", IDENTITY);
        // An empty wrapper overrides a wrapper in cargo's configuration.
        command.env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
        self.output(command)
    }

    /// Compiles a crate that stands in for one of the compiler's own.
    fn named(&mut self, name: &str, runtime: &Path, macros: &Path) -> Result<(), String> {
        let mut command = Command::new(&self.toolchain.rustc);
        command.args(["--crate-name", name, "--crate-type", "rlib", "--edition", "2024", "--target", HOST]);
        command.args(["-Copt-level=3", "-Awarnings", IDENTITY]);
        for (library, path) in [("lastref_runtime", runtime), ("lastref_macros", macros)] {
            command.arg("--extern").arg(format!("{library}={}", path.display()));
        }
        command.arg(format!("-Ldependency={}", self.result.display())).arg("--out-dir").arg(self.result);
        command.arg(self.root.join("sim/std/crates").join(name).join("lib.rs"));
        self.clean(&mut command);
        let output = self.output(command)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(first_error(&String::from_utf8_lossy(&output.stderr))),
        }
    }

    fn clean<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        for name in environment::names(&PREFIXES).chain(NAMES.map(String::from)) {
            command.env_remove(name);
        }
        command.current_dir(self.root).stdin(Stdio::null())
    }

    fn output(&mut self, mut command: Command) -> Result<Output, String> {
        let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        self.log.push_str(&format!("{command:?}\n"));
        self.log.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok(output)
    }
}

fn is_library(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rlib" || extension == "so")
}

/// The first error of a compiler or of cargo, with its first cause.
fn first_error(text: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("error"));
    let Some(error) = lines.next() else { return String::from("it stopped without an error") };
    let mut rest = lines.take_while(|line| !line.starts_with("error"));
    let cause = rest.find(|line| line.starts_with("Caused by")).and_then(|_| rest.next());
    cause.map_or_else(|| error.to_owned(), |cause| format!("{error}: {}", cause.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_cause() {
        let text = "   Compiling a\nerror: failed to parse\n\nCaused by:\n  no such file\nerror: other\n";
        assert_eq!(first_error(text), "error: failed to parse: no such file");
        assert_eq!(first_error("error[E0425]: no x\n --> a.rs\nerror: b\n\nCaused by:\n  c"), "error[E0425]: no x");
        assert_eq!(first_error(""), "it stopped without an error");
    }
}
