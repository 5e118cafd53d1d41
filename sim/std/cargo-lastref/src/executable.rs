//! The executables of a build that hold tests, and the environment in which cargo would run them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cargo_metadata::{Artifact, BuildScript, Message, Package, PackageId, TargetKind};

use crate::environment;
use crate::error::Error;
use crate::harness_flags::HarnessFlags;
use crate::process;
use crate::project::Project;
use crate::token::Target;
use lastref_cli::Stop;

/// An executable that lists its tests takes milliseconds. One that takes longer than this does something else.
const LIST_TIME: Duration = Duration::from_secs(60);

/// An executable with tests.
#[derive(Clone, Debug)]
pub(crate) struct Executable {
    pub(crate) package: String,
    pub(crate) target: Target,
    path: PathBuf,
    /// The folder of the package's manifest, where cargo runs tests.
    folder: PathBuf,
    variables: Vec<(String, OsString)>,
}

/// A test of an executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    /// The test has `#[ignore]`, and no flag includes it.
    pub(crate) is_ignored: bool,
}

/// The answer of an executable to `--list`.
#[derive(Clone, Debug)]
pub(crate) enum Listing {
    Tests(Vec<Listed>),
    /// It does not answer as libtest does: `harness = false`.
    OwnHarness,
}

impl Executable {
    /// `package` for the library's own tests, else `package::name`, `package::bin/name` and so on.
    pub(crate) fn id(&self) -> String {
        let package = &self.package;
        match &self.target {
            Target::Lib => package.clone(),
            Target::Test(name) => format!("{package}::{name}"),
            Target::Bin(name) => format!("{package}::bin/{name}"),
            Target::Example(name) => format!("{package}::example/{name}"),
            Target::Bench(name) => format!("{package}::bench/{name}"),
        }
    }

    /// A command that starts it as cargo would.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(&self.folder).envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Lists the tests that these flags choose.
    pub(crate) fn list(&self, flags: &HarnessFlags) -> Result<Listing, Error> {
        let Some(all) = self.names(&flags.choice_with_ignored())? else { return Ok(Listing::OwnHarness) };
        // A program that ignores its arguments and prints nothing, or that lists only benchmarks, looks like libtest
        // without tests. In the long format libtest prints a last line in any case.
        if all.is_empty() && !self.listed(&flags.choice_with_ignored(), &[])?.is_some_and(|text| is_long_listing(&text))
        {
            return Ok(Listing::OwnHarness);
        }
        let mut ignored = Vec::new();
        if !flags.ignored && !flags.include_ignored {
            let mut choice = flags.choice();
            choice.push(String::from("--ignored"));
            ignored = self.names(&choice)?.unwrap_or_default();
        }
        let listed = all.into_iter().map(|name| Listed { is_ignored: ignored.contains(&name), name });
        Ok(Listing::Tests(listed.collect()))
    }

    /// The names of tests; `None` if the executable does not answer as libtest does.
    fn names(&self, choice: &[String]) -> Result<Option<Vec<String>>, Error> {
        Ok(self.listed(choice, &["--format", "terse"])?.and_then(|text| names(&text)))
    }

    /// What the executable prints for `--list`; `None` if it fails, or does not end in time: it may have its own
    /// harness, which ignores the flag.
    fn listed(&self, choice: &[String], format: &[&str]) -> Result<Option<String>, Error> {
        let mut command = self.command();
        command.args(choice).arg("--list").args(format).stderr(Stdio::null());
        process::output_within(&mut command, LIST_TIME)
            .map_err(|source| Error::Start { program: self.path.clone(), source })
    }
}

/// The names in a listing of libtest: `name: test` a line. Benchmarks are left out.
fn names(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (name, kind) = line.rsplit_once(": ")?;
        match kind {
            "test" => names.push(name.to_owned()),
            "benchmark" => {}
            _ => return None,
        }
    }
    Some(names)
}

/// Whether a listing in libtest's long format ends as libtest's do: `0 tests, 2 benchmarks`.
fn is_long_listing(text: &str) -> bool {
    let Some((tests, benchmarks)) = text.trim_end().lines().next_back().and_then(|line| line.split_once(", ")) else {
        return false;
    };
    let is_count = |text: &str, noun: &str| {
        text.split_once(' ').is_some_and(|(number, rest)| number.parse::<u64>().is_ok() && rest.starts_with(noun))
    };
    is_count(tests, "test") && is_count(benchmarks, "benchmark")
}

/// The results of a build of tests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Built {
    pub(crate) executables: Vec<Executable>,
    /// The names of the selected packages whose library may have doc tests.
    pub(crate) with_doc_tests: Vec<String>,
}

/// Builds tests by `cargo test --no-run`, with those flags of cargo's. cargo's messages go to stderr.
pub(crate) fn build(project: &Project, flags: &[String], stop: &Stop) -> Result<Built, Error> {
    let mut command = project.cargo("test", flags)?;
    command.args(["--no-run", "--message-format=json-render-diagnostics"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let program = project.cargo_program().to_owned();
    let start = |source| Error::Start { program: program.clone(), source };
    let mut child = command.spawn().map_err(start)?;
    let mut artifacts: Vec<Artifact> = Vec::new();
    let mut scripts: BTreeMap<PackageId, BuildScript> = BTreeMap::new();
    if let Some(stdout) = child.stdout.take() {
        for message in Message::parse_stream(BufReader::new(stdout)) {
            match message {
                Ok(Message::CompilerArtifact(artifact)) => artifacts.push(artifact),
                Ok(Message::BuildScriptExecuted(script)) => {
                    scripts.insert(script.package_id.clone(), script);
                }
                _ => {}
            }
        }
    }
    let status = child.wait().map_err(start)?;
    if let Some(signal) = stop.signal() {
        return Err(Error::Stopped(signal));
    }
    if !status.success() {
        return Err(Error::NotBuilt);
    }
    let mut built = Built::default();
    for artifact in artifacts.iter().filter(|artifact| artifact.profile.test) {
        let Some(package) = project.metadata.packages.iter().find(|package| package.id == artifact.package_id) else {
            return Err(Error::NotMember { name: artifact.target.name.clone() });
        };
        let (Some(path), Some(target)) = (&artifact.executable, target(&artifact.target)) else { continue };
        let mut variables = variables(project, package, path.as_std_path(), &scripts);
        if matches!(target, Target::Test(_) | Target::Bench(_)) {
            variables.extend(programs(&artifacts, &package.id));
        }
        let folder = package.manifest_path.parent().map_or_else(PathBuf::new, |folder| folder.as_std_path().to_owned());
        let name = package.name.to_string();
        let has_doc_tests = package.targets.iter().any(|target| target.doctest && is_lib(&target.kind));
        if has_doc_tests && !built.with_doc_tests.contains(&name) {
            built.with_doc_tests.push(name.clone());
        }
        let path = path.as_std_path().to_owned();
        built.executables.push(Executable { package: name, target, path, folder, variables });
    }
    // cargo's messages come in the order in which compilers finish, which varies.
    built.executables.sort_by(|a, b| (&a.package, &a.target).cmp(&(&b.package, &b.target)));
    built.with_doc_tests.sort();
    Ok(built)
}

/// The variables by which integration tests and benchmarks find the programs of their package, as cargo 1.94 sets them.
fn programs(artifacts: &[Artifact], package: &PackageId) -> Vec<(String, OsString)> {
    let is_program =
        |it: &&Artifact| it.package_id == *package && !it.profile.test && it.target.kind.contains(&TargetKind::Bin);
    let variable = |it: &Artifact| {
        let path = it.executable.as_ref()?;
        Some((format!("CARGO_BIN_EXE_{}", it.target.name), OsString::from(path.as_str())))
    };
    artifacts.iter().filter(is_program).filter_map(variable).collect()
}

fn is_lib(kinds: &[TargetKind]) -> bool {
    kinds.iter().any(|kind| {
        matches!(kind, TargetKind::Lib | TargetKind::RLib | TargetKind::DyLib | TargetKind::ProcMacro)
            || matches!(kind, TargetKind::CDyLib | TargetKind::StaticLib)
    })
}

/// The name of a target in tokens.
pub(crate) fn target(target: &cargo_metadata::Target) -> Option<Target> {
    let name = target.name.clone();
    match target.kind.first()? {
        TargetKind::Bin => Some(Target::Bin(name)),
        TargetKind::Test => Some(Target::Test(name)),
        TargetKind::Example => Some(Target::Example(name)),
        TargetKind::Bench => Some(Target::Bench(name)),
        _ => is_lib(&target.kind).then_some(Target::Lib),
    }
}

/// The variables that cargo sets for a test: its own, as its reference lists them, and those of its configuration.
fn variables(
    project: &Project,
    package: &Package,
    path: &Path,
    scripts: &BTreeMap<PackageId, BuildScript>,
) -> Vec<(String, OsString)> {
    let version = &package.version;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let folder = package.manifest_path.parent().map(ToString::to_string).unwrap_or_default();
    let file = |path: &Option<cargo_metadata::camino::Utf8PathBuf>| path.as_ref().map(ToString::to_string);
    let mut all: Vec<(String, OsString)> = [
        ("CARGO_MANIFEST_DIR", folder),
        ("CARGO_MANIFEST_PATH", package.manifest_path.to_string()),
        ("CARGO_PKG_NAME", package.name.to_string()),
        ("CARGO_PKG_VERSION", version.to_string()),
        ("CARGO_PKG_VERSION_MAJOR", version.major.to_string()),
        ("CARGO_PKG_VERSION_MINOR", version.minor.to_string()),
        ("CARGO_PKG_VERSION_PATCH", version.patch.to_string()),
        ("CARGO_PKG_VERSION_PRE", version.pre.to_string()),
        ("CARGO_PKG_AUTHORS", package.authors.join(":")),
        ("CARGO_PKG_DESCRIPTION", text(&package.description)),
        ("CARGO_PKG_HOMEPAGE", text(&package.homepage)),
        ("CARGO_PKG_REPOSITORY", text(&package.repository)),
        ("CARGO_PKG_LICENSE", text(&package.license)),
        ("CARGO_PKG_LICENSE_FILE", file(&package.license_file).unwrap_or_default()),
        ("CARGO_PKG_README", file(&package.readme).unwrap_or_default()),
        ("CARGO_PKG_RUST_VERSION", package.rust_version.as_ref().map(ToString::to_string).unwrap_or_default()),
    ]
    .map(|(name, value)| (name.to_owned(), OsString::from(value)))
    .into();
    all.push((String::from("CARGO"), project.cargo_program().as_os_str().to_owned()));
    if let Some(script) = scripts.get(&package.id) {
        all.push((String::from("OUT_DIR"), script.out_dir.as_os_str().to_owned()));
        all.extend(script.env.iter().map(|(name, value)| (name.clone(), OsString::from(value))));
    }
    all.push((String::from("LD_LIBRARY_PATH"), library_path(project, path, scripts)));
    // cargo's own variables win over those of its configuration, even over one with `force`.
    let own: Vec<String> = all.iter().map(|(name, _)| name.clone()).collect();
    let configured = project.configured_variables();
    all.extend(configured.into_iter().filter(|(name, _)| !own.contains(name)));
    all
}

/// The loader's search path for shared libraries: the folders of build scripts, of the build, of the compiler, and the
/// user's own.
fn library_path(project: &Project, executable: &Path, scripts: &BTreeMap<PackageId, BuildScript>) -> OsString {
    let linked = scripts.values().flat_map(|script| &script.linked_paths);
    let mut folders: Vec<PathBuf> = linked
        .map(|path| path.as_str())
        .map(|path| path.split_once('=').map_or(path, |(_, path)| path))
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .collect();
    folders.sort();
    folders.dedup();
    folders.extend(executable.parent().map(Path::to_owned));
    folders.extend_from_slice(project.compiler_libraries());
    let own = environment::variable("LD_LIBRARY_PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&own));
    // The list cannot hold a folder with a colon in its name; the user's own value is then used.
    std::env::join_paths(folders).unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_of_libtest_is_read_and_another_is_not() {
        assert_eq!(names("a::b: test\nc: benchmark\nd: test\n"), Some(vec!["a::b".to_owned(), "d".to_owned()]));
        assert_eq!(names(""), Some(vec![]));
        assert_eq!(names("running 3 things\n"), None);
        assert_eq!(names("done: all\n"), None);
        assert!(
            is_long_listing("0 tests, 0 benchmarks\n") && is_long_listing("a: benchmark\n\n0 tests, 1 benchmark\n")
        );
        assert!(!is_long_listing("") && !is_long_listing("a, b\n"));
    }
}
