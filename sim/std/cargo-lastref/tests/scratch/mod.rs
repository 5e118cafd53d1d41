//! A crate in a temporary folder, and the program run in it.
//!
//! All tests share one cache, so one of them builds the stand-in while the others wait. This also tests concurrent
//! processes.

// Each file of tests is a crate of its own, and uses a part of this one.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// A crate without dependencies.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: TempDir,
}

impl Scratch {
    /// A crate named `scratch` with these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Scratch {
        let scratch = Scratch { folder: tempfile::tempdir().expect("a folder for scratch files") };
        scratch.write("Cargo.toml", "[package]\nname = \"scratch\"\nversion = \"1.2.3\"\nedition = \"2024\"\n");
        scratch.write("src/lib.rs", "");
        for (path, text) in files {
            scratch.write(path, text);
        }
        scratch
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be written");
        std::fs::write(path, text).expect("the folder can be written");
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `cargo lastref …` in the crate, without the flags that the tests themselves are built with.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin("cargo-lastref"));
        command.arg("lastref").args(arguments).current_dir(self.path());
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "RUSTC", "RUST_BACKTRACE"] {
            command.env_remove(name);
        }
        command.env("LASTREF_CACHE", cache());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().expect("the program starts"))
    }
}

/// Whether tests run as thoroughly as possible (`LASTREF_THOROUGH`).
#[expect(clippy::disallowed_methods, reason = "how much is tested may depend on the environment; no run sees it")]
pub(crate) fn is_thorough() -> bool {
    std::env::var_os("LASTREF_THOROUGH").is_some()
}

/// The cache of all tests.
pub(crate) fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// The output of a program, and its exit code.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Run {
    pub(crate) fn of(output: Output) -> Run {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Run { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code() }
    }

    /// Checks the exit code and parts of what was printed on either stream.
    #[track_caller]
    pub(crate) fn check(&self, code: i32, said: &[&str]) {
        let both = format!("{}{}", self.stdout, self.stderr);
        for part in said {
            assert!(both.contains(part), "`{part}` is missing in:\n{both}");
        }
        assert_eq!(self.code, Some(code), "{both}");
    }

    /// The JSON on stdout, and nothing else there.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// The token of the first replay line.
    #[track_caller]
    pub(crate) fn token(&self) -> &str {
        let line = self.stdout.lines().find_map(|line| line.strip_prefix("replay: cargo lastref replay "));
        line.unwrap_or_else(|| panic!("no replay line in:\n{}", self.stdout))
    }
}
