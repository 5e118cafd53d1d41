//! The sources of a suite: a copy of those that cargo downloads, since a test may write files next to its sources.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::list::Suite;

/// The package that names the crates and their versions.
fn manifest() -> PathBuf {
    manifest_of("suites")
}

fn manifest_of(package: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../known").join(package).join("Cargo.toml")
}

/// An unpacked suite.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) version: String,
    pub(crate) folder: PathBuf,
}

/// The versions of the suites, by package.
pub(crate) fn versions() -> BTreeMap<String, String> {
    versions_in("suites")
}

/// The exact versions in the manifest of a package, by crate.
pub(crate) fn versions_in(package: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(manifest_of(package)).expect("the manifest can be read");
    // `name = "=1.2.3"` or `name = { version = "=1.2.3", … }`.
    let pair = |line: &str| {
        let (name, rest) = line.split_once(" = ")?;
        let version = rest.split_once("\"=")?.1.split_once('"')?.0;
        Some((name.to_owned(), version.to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// Copies the sources of a suite. The folder of an earlier call is replaced, except for its artifacts.
pub(crate) fn unpack(suite: &Suite) -> Source {
    let version = versions()[suite.package].clone();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("suites").join(format!("{}-{version}", suite.package));
    let registry = registry(suite.package, &version);
    copy(&registry, &folder);
    let manifest = folder.join("Cargo.toml");
    let mut text = std::fs::read_to_string(&manifest).expect("a package has a manifest");
    // The folder is inside this repository's workspace. Development dependencies that depend on the package itself get
    // this copy of it: two copies would have two runtimes.
    let _ = write!(text, "\n[workspace]\n\n[patch.crates-io]\n{} = {{ path = \".\" }}\n", suite.package);
    std::fs::write(&manifest, text).expect("the copy can be written");
    unlock(suite.package, &folder);
    Source { version, folder }
}

/// Removes releases of the package from the lock file of its copy. If the file names an older release for the
/// development dependencies, cargo would not use the copy for them.
fn unlock(package: &str, folder: &Path) {
    let Ok(text) = std::fs::read_to_string(folder.join("Cargo.lock")) else { return };
    let start = format!("name = \"{package}\"\nversion = \"");
    for block in text.split("[[package]]\n").filter(|block| block.contains("\nsource = ")) {
        if let Some((version, _)) = block.strip_prefix(&start).and_then(|rest| rest.split_once('"')) {
            let mut command = Command::new(env!("CARGO"));
            command.args(["update", &format!("{package}@{version}")]).current_dir(folder);
            let output = command.output().expect("cargo starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// The folder in which cargo keeps the sources of a package.
fn registry(package: &str, version: &str) -> PathBuf {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--format-version", "1", "--locked", "--manifest-path"]).arg(manifest());
    let output = command.output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo answers in JSON");
    let packages = metadata["packages"].as_array().expect("cargo lists the packages");
    let found = packages.iter().find(|it| it["name"] == package && it["version"] == version);
    let path =
        found.and_then(|it| it["manifest_path"].as_str()).expect("the lock file has the version of the manifest");
    Path::new(path).parent().expect("a manifest is in a folder").to_owned()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the folder for temporary files can be written");
    for entry in std::fs::read_dir(from).expect("the sources can be read") {
        let entry = entry.expect("the sources can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("the copy can be written");
        }
    }
}
