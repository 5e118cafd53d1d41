//! The results of `cargo lastref test` for a suite, and their differences from the list.

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;

use super::list::{Exception, Suite};
use super::scratch::{self, Run};

/// A test and its result.
#[derive(Debug)]
pub(crate) struct Tested {
    /// `executable test`, as lastref shows it.
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) cpu_seconds: f64,
}

/// Runs the tests of an unpacked suite.
pub(crate) fn of(suite: &Suite, folder: &Path) -> Vec<Tested> {
    let mut command = Command::new(cargo_bin("cargo-lastref"));
    command.args(["lastref", "test", "--json", "--lib", "--tests", "--no-fail-fast", "--no-shrink"]).args(suite.flags);
    command.args(SEARCH);
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "RUSTC", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command.env("LASTREF_CACHE", scratch::cache()).current_dir(folder);
    // Optimised, since a debug build needs several times the CPU time.
    command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "1").env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    let answer = Run::of(command.output().expect("the program starts")).json();
    let tests = answer["tests"].as_array().expect("the answer lists tests");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let tested = |test: &serde_json::Value| Tested {
        name: format!("{} {}", text(&test["executable"]), text(&test["test"])),
        status: text(&test["status"]),
        reason: match test["message"].as_str() {
            Some(message) if !message.is_empty() => format!("{}: {message}", text(&test["reason"])),
            _ => text(&test["reason"]),
        },
        cpu_seconds: test["cpu_seconds"].as_f64().unwrap_or_default(),
    };
    tests.iter().map(tested).collect()
}

/// The flags of each search. The times are long enough for a machine that is busy with other programs.
pub(crate) const SEARCH: [&str; 10] =
    ["--schedules", "20", "--steps", "40000000", "--for", "10s", "--timeout", "900s", "--hang", "300s"];

/// The counts of a row. Tests with `#[ignore]` are not counted: cargo does not run them either.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) tests: usize,
    pub(crate) passed: usize,
    /// Stopped at the bound on steps.
    pub(crate) limit: usize,
    pub(crate) other: usize,
    pub(crate) cpu_seconds: f64,
}

impl Totals {
    pub(crate) fn of(results: &[Tested]) -> Totals {
        let number = |status: &str| results.iter().filter(|test| test.status == status).count();
        let tests = results.len() - number("ignored");
        let (passed, limit) = (number("passed"), number("skipped"));
        let cpu_seconds = results.iter().map(|test| test.cpu_seconds).sum();
        Totals { tests, passed, limit, other: tests - passed - limit, cpu_seconds }
    }
}

/// A line for each test whose result is not the expected one.
pub(crate) fn surprises(suite: &Suite, results: &[Tested]) -> Vec<String> {
    let expected = |name: &str| suite.exceptions.iter().find(|exception| exception.tests.contains(&name));
    let mut told: Vec<String> = results.iter().filter_map(|test| surprise(test, expected(&test.name))).collect();
    let names = suite.exceptions.iter().flat_map(|exception| exception.tests);
    let absent = names.filter(|name| results.iter().all(|test| test.name != **name));
    told.extend(absent.map(|name| format!("{name}: there is no such test")));
    told.into_iter().map(|line| format!("{}: {line}", suite.package)).collect()
}

fn surprise(test: &Tested, expected: Option<&Exception>) -> Option<String> {
    let Tested { name, status, reason, .. } = test;
    match expected {
        None if ["passed", "ignored"].contains(&status.as_str()) => None,
        None => Some(format!("{name}: {status}: {reason}")),
        Some(expected) if expected.statuses.contains(&status.as_str()) => None,
        Some(expected) => Some(format!("{name}: {status} instead of {}: {reason}", expected.statuses.join(" or "))),
    }
}
