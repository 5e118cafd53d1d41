//! A new strategy is one file and one word in the list: shown in a copy of the package, which then has its name and
//! its help.
//!
//! It compiles the copy, so it runs only if `LASTREF_THOROUGH` is set.

#![expect(clippy::disallowed_methods, reason = "an environment, and a compiler of its own")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Chooses the last candidate.
const FILE: &str = r#"//! The last candidate runs.

use super::list::Row;
use super::{Strategy, View};

pub(super) const ROW: Row = Row { word: "last", parameter: None, learns: false, build: |_, _, _| Box::new(Last) };

/// The choice of the last candidate.
#[derive(Debug)]
struct Last;

impl Strategy for Last {
    fn choose(&mut self, view: &View<'_>) -> usize {
        view.len() - 1
    }
}
"#;

/// Reads the name of the new strategy, and the help.
const TEST: &str = r#"use lastref_kernel::strategy::StrategyName;

#[test]
fn the_new_strategy_has_its_name_and_its_help() {
    let name: StrategyName = "last".parse().expect("a strategy");
    assert_eq!(name.to_string(), "last");
    assert!(StrategyName::words().starts_with("last, mix, "), "{}", StrategyName::words());
    assert_eq!(StrategyName::all().filter(|other| *other == name).count(), 1);
}
"#;

#[test]
fn a_new_strategy_is_one_file_and_one_word() {
    if std::env::var_os("LASTREF_THOROUGH").is_none() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strategy");
    let _ = fs::remove_dir_all(&scratch);
    let kernel = scratch.join("sim/kernel");
    let before = files(Path::new(env!("CARGO_MANIFEST_DIR")), Path::new("src"));
    for file in before.iter().map(PathBuf::as_path).chain([Path::new("Cargo.toml")]) {
        let to = kernel.join(file);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(file), to).expect("a copy");
    }
    fs::copy(root.join("Cargo.lock"), scratch.join("Cargo.lock")).expect("a copy");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest of the workspace");
    let only_kernel = manifest.lines().map(|line| match line {
        _ if line.starts_with("default-members = ") => String::new(),
        _ if line.starts_with("members = ") => String::from("members = [\"sim/kernel\"]"),
        _ => line.to_owned(),
    });
    fs::write(scratch.join("Cargo.toml"), only_kernel.collect::<Vec<_>>().join("\n")).expect("a manifest");

    fs::write(kernel.join("src/strategy/last.rs"), FILE).expect("the file");
    let list = kernel.join("src/strategy/mod.rs");
    let text = fs::read_to_string(&list).expect("the list");
    let with_word = text.replacen("strategies! { mix,", "strategies! { last, mix,", 1);
    assert_eq!(with_word.len(), text.len() + "last, ".len(), "the list begins with `mix`");
    fs::write(&list, with_word).expect("the list");
    fs::create_dir_all(kernel.join("tests")).expect("a folder");
    fs::write(kernel.join("tests/last.rs"), TEST).expect("a test");

    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--offline", "--quiet", "--lib", "--test", "last", "strategy"]).current_dir(&scratch);
    let output = cargo.env("CARGO_TARGET_DIR", scratch.join("target")).output().expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let differs = |file: &&PathBuf| {
        let original = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok();
        original != fs::read(kernel.join(file)).ok()
    };
    let after = files(&kernel, Path::new("src"));
    let changed: Vec<&PathBuf> = after.iter().filter(differs).collect();
    assert_eq!(changed, [Path::new("src/strategy/last.rs"), Path::new("src/strategy/mod.rs")]);
}

/// The files below a folder of the package, sorted.
fn files(package: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(package.join(folder)).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() { all.extend(files(package, &path)) } else { all.push(path) }
    }
    all.sort();
    all
}
