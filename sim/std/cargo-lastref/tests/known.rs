//! Bugs of released crates: `cargo lastref test` finds each with a plain test of a user, in the crate as it was released,
//! and the same test is clean with the fixed version, where there is one.
//!
//! The packages are in `sim/std/known`, with exact versions. Those that build in seconds run always, the others if
//! `LASTREF_THOROUGH` is set.

// Only the cache and the parts of a run are needed here.
#[expect(dead_code, reason = "scratch crates are for the other files of tests")]
mod scratch;

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use scratch::Run;
use serde_json::Value;

/// A test, and the kind and text of its finding; none for a test that is clean.
type Expected = (&'static str, Option<(&'static str, &'static str)>);

fn search(package: &str, arguments: &[&str]) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../known").join(package);
    let mut command = Command::new(cargo_bin("cargo-lastref"));
    command.args(["lastref", "test", "--json", "--no-fail-fast", "--no-shrink", "--tests"]).args(arguments);
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command.env("LASTREF_CACHE", scratch::cache());
    // One folder for all packages: they share most dependencies, and the sources stay clean.
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("known"));
    Run::of(command.current_dir(folder).output().expect("the program starts")).json()
}

/// Checks the tests of a package one by one, and that it has no others.
#[track_caller]
fn check(package: &str, arguments: &[&str], expected: &[Expected]) {
    let answer = search(package, arguments);
    let tests = answer["tests"].as_array().expect("the answer lists tests");
    for (name, finding) in expected {
        let test = tests.iter().find(|test| test["test"] == *name);
        let test = test.unwrap_or_else(|| panic!("{package} has no test `{name}`: {answer}"));
        match finding {
            Some((kind, text)) => {
                assert_eq!((&test["status"], &test["kind"]), (&"finding".into(), &(*kind).into()), "{name}: {test}");
                let told = format!("{}\n{}", test["message"], test["facts"]);
                assert!(told.contains(text), "{name}: `{text}` is missing in {test}");
            }
            None => {
                assert_eq!((&test["status"], &test["no_choice"]), (&"passed".into(), &false.into()), "{name}: {test}");
            }
        }
    }
    assert_eq!(tests.len(), expected.len(), "{package} has other tests: {answer}");
}

fn is_thorough() -> bool {
    std::env::var_os("LASTREF_THOROUGH").is_some()
}

#[test]
fn small_crates_are_found() {
    let unwrap = Some(("panic", "called `Option::unwrap()` on a `None` value"));
    check(
        "small",
        &["--schedules", "20000"],
        &[
            ("receiver_is_dropped_during_the_first_sends", Some(("double free", "a block of 504 bytes is freed twice"))),
            ("close_against_get", unwrap),
            ("close_against_try_get", unwrap),
            ("each_of_two_receivers_gets_one_of_two_messages", Some(("deadlock", "no task can go on: main, task."))),
            (
                "receiver_is_polled_once_and_dropped_during_the_send",
                Some(("use after free", "a pointer that was read from freed memory is followed")),
            ),
        ],
    );
}

#[test]
fn the_fixed_small_crates_are_clean() {
    check("small-fixed", &["--schedules", "20000"], &[("receiver_is_dropped_during_the_first_sends", None)]);
}

#[test]
fn an_absent_finding_fails_this_check() {
    let name = "receiver_is_dropped_during_the_first_sends";
    let finding = Some(("double free", "a block of 504 bytes is freed twice"));
    let checked = std::panic::catch_unwind(|| check("small-fixed", &["--schedules", "100"], &[(name, finding)]));
    let message = checked.expect_err("the fixed version has no finding");
    let message = message.downcast_ref::<String>().expect("an assertion has a text");
    assert!(message.contains(name) && message.contains("passed"), "{message}");
}
