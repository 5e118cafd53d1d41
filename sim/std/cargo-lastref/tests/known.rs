//! Bugs of released crates: `cargo lastref test` finds each with a plain test of a user, in the crate as it was
//! released, and the same test is clean with the fixed version, where there is one.
//!
//! The packages are in `sim/std/known`, with exact versions. Those that build in seconds run always, the others if
//! `LASTREF_THOROUGH` is set.

mod scratch;

use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use scratch::Run;
use serde_json::Value;

/// The expected result of a test.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// A finding of this kind, with this text.
    Found(&'static str, &'static str),
    /// Every schedule passes, and the schedules differ.
    Clean,
}

use Expected::{Clean, Found};

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
fn check(package: &str, arguments: &[&str], expected: &[(&str, Expected)]) {
    let answer = search(package, arguments);
    let tests = answer["tests"].as_array().expect("the answer lists tests");
    for (name, finding) in expected {
        let test = tests.iter().find(|test| test["test"] == *name);
        let test = test.unwrap_or_else(|| panic!("{package} has no test `{name}`: {answer}"));
        let told = format!("{}\n{}\n{}", test["message"], test["facts"], test["reason"]);
        let (status, text) = match finding {
            Found(kind, text) => {
                assert_eq!(test["kind"], *kind, "{name}: {test}");
                ("finding", *text)
            }
            Clean => {
                assert_eq!(test["no_choice"], false, "{name}: {test}");
                ("passed", "")
            }
        };
        assert_eq!(test["status"], status, "{name}: {test}");
        assert!(told.contains(text), "{name}: `{text}` is missing in {test}");
    }
    assert_eq!(tests.len(), expected.len(), "{package} has other tests: {answer}");
}

#[test]
fn small_crates_are_found() {
    let unwrap = Found("panic", "called `Option::unwrap()` on a `None` value");
    check(
        "small",
        &["--schedules", "20000"],
        &[
            ("receiver_is_dropped_during_the_first_sends", Found("double_free", "a block of 504 bytes is freed twice")),
            ("close_against_get", unwrap),
            ("close_against_try_get", unwrap),
            ("each_of_two_receivers_gets_one_of_two_messages", Found("deadlock", "no task can go on: main, task.")),
            (
                "receiver_is_polled_once_and_dropped_during_the_send",
                Found("use_after_free", "a freed block of 24 bytes"),
            ),
        ],
    );
}

#[test]
fn the_fixed_small_crates_are_clean() {
    check("small-fixed", &["--schedules", "20000"], &[("receiver_is_dropped_during_the_first_sends", Clean)]);
}

#[test]
fn tokio_is_found() {
    // It builds tokio and its macros.
    if !scratch::is_thorough() {
        return;
    }
    // The thread that panics is joined, so the text of its panic is among the facts.
    let closed = Found("panic", "called `Option::unwrap()` on a `None` value");
    check(
        "tokio",
        &["--schedules", "20000"],
        &[
            ("two_receivers_clone_one_value", Found("panic", "two threads clone a value that is not Sync")),
            ("send_against_await_after_close", closed),
            ("send_against_try_recv_after_close", closed),
        ],
    );
}

#[test]
fn the_fixed_tokio_is_clean() {
    // It builds tokio and its macros.
    if !scratch::is_thorough() {
        return;
    }
    check(
        "tokio-fixed",
        &["--schedules", "20000"],
        &[
            ("two_receivers_clone_one_value", Clean),
            ("send_against_await_after_close", Clean),
            ("send_against_try_recv_after_close", Clean),
        ],
    );
}

#[test]
fn the_leak_of_moka_is_found() {
    // It builds moka.
    if !scratch::is_thorough() {
        return;
    }
    let leak = Found("leak", "a block of 40 bytes was never freed");
    check("moka", &["--schedules", "20000"], &[("two_threads_get_the_same_key", leak)]);
}

#[test]
fn the_stall_of_h2_is_found_and_its_control_is_clean() {
    // It builds tokio and h2.
    if !scratch::is_thorough() {
        return;
    }
    const RARE: &str = "a_body_arrives_over_duplex_with_window_16_384_on_tasks_in_any_order";
    let stalls = Found("deadlock", "no task can go on: main is blocked");
    check(
        "h2",
        &["--schedules", "200", "--", "--skip", RARE],
        &[
            ("a_body_arrives_over_loopback_with_window_16_384", stalls),
            ("a_body_arrives_over_loopback_with_window_100_000", Clean),
            ("a_body_arrives_over_duplex_with_window_16_384", Clean),
            ("a_body_arrives_over_duplex_with_window_100_000", Clean),
            ("a_body_arrives_over_duplex_with_window_16_384_on_two_threads", Clean),
            ("a_body_arrives_over_duplex_with_window_100_000_on_two_threads", Clean),
            ("a_body_arrives_over_duplex_with_window_100_000_on_tasks_in_any_order", Clean),
        ],
    );
    // An order of the tasks that a queue never has. Five builds and seeds took 15 to 2,170 schedules.
    let stalls = Found("deadlock", "no task can go on: main, ");
    check("h2", &["--schedules", "20000", RARE], &[(RARE, stalls)]);
}

#[test]
fn network_programs_have_the_findings_of_the_page_and_faults_reach_them() {
    // It builds hyper, axum, tonic, redis and smol.
    if !scratch::is_thorough() {
        return;
    }
    let failed = Found("panic", "the exchange failed: ");
    let tests = [
        ("two_requests_over_the_pool", Clean),
        ("three_requests_at_once", Clean),
        ("the_server_closes_after_each_response", Clean),
        ("one_route_of_axum", Clean),
        ("mini_redis_set_and_get", Clean),
        ("mini_redis_publish_and_subscribe", Clean),
        ("two_commands_on_one_multiplexed_connection", Clean),
        ("three_tasks_share_two_connections_of_bb8", Clean),
        ("three_tasks_share_two_connections_of_deadpool", Clean),
        ("health_check_on_one_thread", Clean),
        ("health_check_on_two_threads", Clean),
        ("echo_on_smol", Clean),
        ("a_timer_and_a_blocking_task_on_smol", Clean),
    ];
    // The pool hands out a connection whose FIN is on the way: see the tests. They are rare.
    const CLOSES: &str = "the_server_closes_without_announcing_it";
    let rare = [(CLOSES, failed), ("the_server_closes_without_announcing_it_to_a_client_that_retries", failed)];
    check("network", &["--schedules", "300", "--", "--skip", CLOSES], &tests);
    check("network", &["--schedules", "20000", CLOSES], &rare);
    let under_faults = tests.into_iter().chain(rare).map(|(name, _)| match name {
        "a_timer_and_a_blocking_task_on_smol" => (name, Clean),
        _ => (name, Found("panic", "")),
    });
    check("network", &["--schedules", "300", "--faults", "all"], &under_faults.collect::<Vec<_>>());
}

#[test]
fn an_absent_finding_fails_this_check() {
    let name = "receiver_is_dropped_during_the_first_sends";
    let finding = Found("double_free", "a block of 504 bytes is freed twice");
    let checked = std::panic::catch_unwind(|| check("small-fixed", &["--schedules", "100"], &[(name, finding)]));
    let message = checked.expect_err("the fixed version has no finding");
    let message = message.downcast_ref::<String>().expect("an assertion has a text");
    assert!(message.contains(name) && message.contains("passed"), "{message}");
}
