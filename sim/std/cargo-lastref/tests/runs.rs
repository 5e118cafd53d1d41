//! The features that users know from `cargo test`: filters, ignored tests, doc tests, flags of their own, and one clear
//! line for a test that dies, hangs or takes too long.

mod scratch;

use scratch::Scratch;

const SUITE: &str = r#"#[test]
fn first() {}

#[test]
fn second() {}

#[test]
#[ignore]
fn left_out() {
    panic!("it was run");
}

#[test]
#[should_panic]
fn panics() {
    panic!("as it should");
}
"#;

#[test]
fn filters_choose_tests_as_in_libtest() {
    let scratch = Scratch::new(&[("tests/suite.rs", SUITE)]);
    let list = |arguments: &[&str]| {
        let run = scratch.run(&[&["test"], arguments].concat());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stdout.lines().map(|line| line.trim_start_matches("scratch::suite ").to_owned()).collect::<Vec<String>>()
    };
    assert_eq!(list(&["--", "--list"]), ["first", "left_out (ignored)", "panics", "second"]);
    assert_eq!(list(&["fir", "--", "--list"]), ["first"]);
    assert_eq!(list(&["--", "--list", "--exact", "sec"]), [""; 0]);
    assert_eq!(list(&["--", "--list", "--exact", "second"]), ["second"]);
    assert_eq!(list(&["--", "--list", "--skip", "s", "--include-ignored"]), ["left_out"]);
    assert_eq!(list(&["--", "--list", "--ignored"]), ["left_out"]);
    assert_eq!(list(&["--lib", "--", "--list"]), [""; 0]);
}

#[test]
fn an_ignored_test_runs_on_request_and_a_panic_may_be_expected() {
    let scratch = Scratch::new(&[("tests/suite.rs", SUITE)]);
    scratch.run(&["test", "--schedules", "20"]).check(0, &["4 tests: 3 passed, 1 ignored"]);
    let asked = scratch.run(&["test", "--schedules", "20", "--", "--include-ignored"]);
    asked.check(1, &["4 tests: 3 passed, 1 with a finding", "it was run"]);
}

#[test]
fn a_test_that_dies_hangs_or_takes_too_long_has_one_clear_report() {
    let suite = r#"#[test]
fn hangs() {
    loop {
        std::hint::black_box(1);
    }
}

#[test]
fn exits() {
    std::process::exit(7)
}

#[test]
fn aborts() {
    std::process::abort()
}

#[test]
fn is_killed() {
    let own = std::process::id().to_string();
    std::process::Command::new("kill").args(["-KILL", &own]).status().unwrap();
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let run = scratch.run(&["test", "--hang", "6s"]);
    run.check(
        1,
        &[
            "suite hangs:\n  hangs in run 1, step ",
            "suite exits:\n  the test ended its process with exit code 7\n",
            "suite is_killed:\n  killed by SIGKILL in run 1, step ",
            "suite aborts:\n  crash in schedule 1",
            "4 tests: 0 passed, 1 with a finding, 1 failed, 1 died, 1 hung",
        ],
    );
    // The token of a process that left no report repeats the same run.
    let killed = run
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("replay: cargo lastref replay lrs1/scratch/test=suite/is_killed/"));
    let killed = format!("lrs1/scratch/test=suite/is_killed/{}", killed.expect("it has a replay line"));
    scratch.run(&["replay", &killed]).check(1, &["suite is_killed:\n  killed by SIGKILL at step "]);
    scratch.run(&["test", "hangs", "--timeout", "500ms"]).check(1, &["did not end within its time", "1 timed out"]);
}

#[test]
fn executables_after_a_failed_one_are_not_started_unless_asked_for() {
    let files = [
        (
            "tests/a.rs",
            r#"#[test]
fn fails() {
    panic!("on purpose");
}
"#,
        ),
        ("tests/b.rs", "#[test]\nfn passes() {}\n"),
    ];
    let scratch = Scratch::new(&files);
    scratch.run(&["test", "--jobs", "1"]).check(1, &["1 with a finding, 1 not run", "--no-fail-fast"]);
    scratch.run(&["test", "--jobs", "1", "--no-fail-fast"]).check(1, &["1 passed, 1 with a finding"]);
}

#[test]
fn doc_tests_run_and_their_failure_is_told() {
    let doc = |sum: u32| {
        format!(
            r#"/// ```
/// assert_eq!(scratch::sum(), {sum});
/// ```
pub fn sum() -> u32 {{
    2
}}
"#
        )
    };
    let scratch = Scratch::new(&[("src/lib.rs", &doc(2))]);
    scratch.run(&["test"]).check(0, &["doc tests passed"]);
    scratch.write("src/lib.rs", &doc(3));
    let run = scratch.run(&["test", "--json"]);
    assert_eq!((run.code, &run.json()["doc_tests"]), (Some(1), &false.into()), "{}", run.stderr);
    assert_eq!(scratch.run(&["test", "--doc"]).code, Some(1));
    assert_eq!(scratch.run(&["test", "--lib"]).code, Some(0));
}

#[test]
fn flags_of_the_users_own_reach_the_compiler() {
    let suite = r#"#[test]
fn has_both() {
    assert!(cfg!(mine) && cfg!(lastref));
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let arguments = ["test", "--schedules", "5"];
    scratch.run(&arguments).check(1, &["panic in schedule 1"]);
    let mut command = scratch.command(&arguments);
    assert!(command.env("RUSTFLAGS", "--cfg mine").output().expect("it starts").status.success());
    scratch.write(".cargo/config.toml", "[build]\nrustflags = ['--cfg=mine']\n");
    scratch.run(&arguments).check(0, &["1 passed"]);
    scratch.write(".cargo/config.toml", "[target.'cfg(unix)']\nrustflags = ['--cfg=mine']\n");
    scratch.run(&arguments).check(0, &["1 passed"]);
}

#[test]
fn a_test_finds_the_environment_that_cargo_gives_it() {
    let suite = r#"#[test]
fn sees() {
    assert_eq!(std::env::var("CARGO_PKG_VERSION").unwrap(), "1.2.3");
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    assert_eq!(std::env::current_dir().unwrap(), std::path::Path::new(&folder));
}
"#;
    Scratch::new(&[("tests/suite.rs", suite)]).run(&["test", "--schedules", "5"]).check(0, &["1 passed"]);
}

#[test]
fn a_child_that_is_the_own_executable_runs_its_test_once_and_plainly() {
    let suite = r#"use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

#[test]
fn aborts() {
    if std::env::var("CHILD").is_ok() {
        std::fs::OpenOptions::new().append(true).create(true).open("runs").unwrap().write_all(b"x").unwrap();
        std::process::abort();
    }
    let before = std::fs::read("runs").unwrap_or_default().len();
    let own = std::env::current_exe().unwrap();
    let child = Command::new(own).args(["--exact", "aborts", "--nocapture"]).env("CHILD", "1").output().unwrap();
    assert_eq!(child.status.signal(), Some(6));
    let told = String::from_utf8(child.stderr).unwrap();
    assert!(!told.contains("lastref"), "{told}");
    assert_eq!(std::fs::read("runs").unwrap().len(), before + 1);
    assert_eq!(std::env::var("LASTREF_OTHER").unwrap(), "kept");
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let mut command = scratch.command(&["test", "--schedules", "5"]);
    let run = scratch::Run::of(command.env("LASTREF_OTHER", "kept").output().expect("it starts"));
    run.check(0, &["1 passed"]);
}

#[test]
fn variables_of_cargos_configuration_reach_the_tests() {
    let suite = r#"#[test]
fn sees() {
    let value = |name: &str| std::env::var(name).unwrap();
    assert_eq!(value("PLAIN"), "near");
    assert_eq!(value("TABLE"), "b");
    assert_eq!(value("FAR"), "far");
    let folder = value("CARGO_MANIFEST_DIR");
    assert_eq!(value("RELATIVE"), format!("{folder}/data"));
    assert_eq!(value("KEPT"), "own");
    assert_eq!(value("FORCED"), "configured");
    assert_eq!(value("CARGO_PKG_NAME"), "scratch");
}
"#;
    let near = r#"[env]
PLAIN = "near"
TABLE = { value = "b" }
RELATIVE = { value = "data", relative = true }
KEPT = "configured"
FORCED = { value = "configured", force = true }
CARGO_PKG_NAME = { value = "other", force = true }
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite), (".cargo/config.toml", near)]);
    scratch.write("home/config.toml", "[env]\nPLAIN = 'far'\nFAR = 'far'\n");
    let mut command = scratch.command(&["test", "--schedules", "5"]);
    command.env("CARGO_HOME", scratch.path().join("home")).env("KEPT", "own").env("FORCED", "own");
    scratch::Run::of(command.output().expect("it starts")).check(0, &["1 passed"]);
}

#[test]
fn an_executable_with_its_own_harness_runs_as_a_whole() {
    let manifest = r#"[package]
name = "scratch"
version = "1.2.3"
edition = "2024"
[[test]]
name = "own"
harness = false
"#;
    let own = |code: u8| {
        format!(
            r#"fn main() {{
    println!("my own way");
    std::process::exit({code})
}}
"#
        )
    };
    let scratch = Scratch::new(&[("Cargo.toml", manifest), ("tests/own.rs", &own(0))]);
    scratch.run(&["test"]).check(0, &["own (own harness)", "1 ran outside the simulator"]);
    scratch.write("tests/own.rs", &own(3));
    scratch.run(&["test"]).check(1, &["exit code 3, ran outside the simulator", "| my own way"]);
    // It lists nothing, as libtest does for no tests.
    scratch.write("tests/own.rs", "fn main() {}\n");
    scratch.run(&["test"]).check(0, &["own (own harness)", "1 ran outside the simulator"]);
}

#[test]
fn other_commands_of_cargo_pass_through_with_their_exit_code() {
    let main = r#"fn main() {
    let word = std::env::args().nth(1).unwrap();
    println!("{word} {}", cfg!(lastref));
    std::process::exit(5)
}
"#;
    let scratch = Scratch::new(&[("src/main.rs", main)]);
    let run = scratch.run(&["run", "--quiet", "--", "--hello"]);
    assert_eq!((run.stdout.as_str(), run.code), ("--hello true\n", Some(5)), "{}", run.stderr);
    assert_eq!(scratch.run(&["check"]).code, Some(0));
    assert_eq!(scratch.run(&["build", "--bins"]).code, Some(0));
    assert!(scratch.path().join("target/lastref/x86_64-unknown-linux-gnu/debug/scratch").is_file());
}

#[test]
fn a_lint_that_is_denied_does_not_keep_tests_from_running() {
    let lib = r#"#![deny(unused_extern_crates)]
extern crate std;

#[test]
fn passes() {}
"#;
    Scratch::new(&[("src/lib.rs", lib)]).run(&["test", "--lib", "--schedules", "5"]).check(0, &["1 passed"]);
}

#[test]
fn an_allocator_of_the_crates_own_is_replaced_and_the_build_says_so() {
    let lib = r#"use std::alloc::{GlobalAlloc, Layout, System};

struct Own;

unsafe impl GlobalAlloc for Own {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static OWN: Own = Own;

#[test]
fn leaks() {
    std::mem::forget(std::hint::black_box(Box::new([1_u8; 40])));
}
"#;
    let run = Scratch::new(&[("src/lib.rs", lib)]).run(&["test", "--lib", "--schedules", "5"]);
    run.check(1, &["leak in schedule", "a block of 40 bytes", "in place of this global allocator"]);
}

#[test]
fn a_stack_of_an_optimised_build_names_what_was_inlined() {
    let suite = r#"fn inner(flag: bool) {
    if flag {
        panic!("deep");
    }
}

#[test]
fn panics() {
    inner(std::hint::black_box(true));
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    scratch.run(&["test", "--release"]).check(1, &["suite::inner at tests/suite.rs:3", "panics", "tests/suite.rs:9"]);
}

#[test]
fn a_crate_that_does_not_build_is_bad_input() {
    let scratch = Scratch::new(&[("src/lib.rs", "fn broken( {}\n")]);
    scratch.run(&["test"]).check(2, &["error: ", "the crate does not build under lastref; cargo's messages are above"]);
}

#[test]
fn a_replay_builds_what_the_search_has_built_and_names_what_is_gone() {
    let manifest = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{rest}\n")
    };
    // `a` turns a feature of `common` on. The test of `b` has its finding only in a build with `a`.
    let common = r#"pub fn is_on() -> bool {
    cfg!(feature = "on")
}
"#;
    let suite = r#"#[test]
fn panics() {
    assert!(!common::is_on(), "the feature is on");
}
"#;
    let scratch = Scratch::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\", \"common\"]\nresolver = \"2\"\n"),
        ("a/Cargo.toml", &manifest("a", "[dependencies]\ncommon = { path = \"../common\", features = [\"on\"] }")),
        ("a/src/lib.rs", ""),
        ("b/Cargo.toml", &manifest("b", "[dependencies]\ncommon = { path = \"../common\" }")),
        ("b/src/lib.rs", ""),
        ("b/tests/suite.rs", suite),
        ("common/Cargo.toml", &manifest("common", "[features]\non = []")),
        ("common/src/lib.rs", common),
    ]);
    let run = scratch.run(&["test", "--no-shrink", "panics"]);
    run.check(1, &["the feature is on"]);
    scratch.run(&["replay", run.token()]).check(1, &["the feature is on"]);
    let run = scratch.run(&["test", "--no-shrink", "--workspace", "--exclude", "common", "panics"]);
    run.check(1, &["replay: cargo lastref replay --exclude common --workspace lrs1/b/test=suite/"]);
    let words: Vec<&str> = ["replay"].into_iter().chain(run.token().split(' ')).collect();
    scratch.run(&words).check(1, &["the feature is on"]);
    scratch.run(&["test", "-p", "b", "panics"]).check(0, &["1 passed"]);
    let words = ["replay", "-p", "b", *words.last().expect("a token")];
    scratch.run(&words).check(0, &["no finding"]);
    scratch.write("b/tests/other.rs", suite);
    std::fs::remove_file(scratch.path().join("b/tests/suite.rs")).expect("it is there");
    scratch.run(&words).check(2, &["names target `test=suite`, which this project does not have"]);
}
