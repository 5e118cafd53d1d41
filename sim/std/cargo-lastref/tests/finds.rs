//! End to end: the planted bug in a test of a plain crate is found, replayed and shown; the correct twin is clean.

mod scratch;

use scratch::{Run, Scratch};

/// Two threads add to a counter: with a load and a store, or with one operation.
fn counter(add: &str) -> String {
    format!(
        r#"use std::sync::atomic::{{AtomicUsize, Ordering::SeqCst}};
pub fn add(counter: &AtomicUsize) {{
    {add}
}}
#[cfg(test)]
mod tests {{
    use super::*;
    use std::sync::Arc;

    #[test]
    fn both_count() {{
        let ours = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&ours);
        let other = std::thread::spawn(move || add(&theirs));
        add(&ours);
        other.join().unwrap();
        assert_eq!(ours.load(SeqCst), 2);
    }}
}}
"#
    )
}

fn racy() -> Scratch {
    Scratch::new(&[("src/lib.rs", &counter("let now = counter.load(SeqCst);\n    counter.store(now + 1, SeqCst);"))])
}

#[test]
fn a_planted_bug_is_found_replayed_shown_and_shrunk() {
    let scratch = racy();
    let found = scratch.run(&["test"]);
    found.check(
        1,
        &[
            "FINDING",
            "scratch tests::both_count:\n  panic in schedule ",
            "assertion `left == right` failed",
            "src/lib.rs:18",
            "\nseed 0x",
            "store AtomicUsize#0",
            "1 test: 0 passed, 1 with a finding",
        ],
    );
    let widest = found.stdout.lines().filter(|line| line.starts_with(['|', '+'])).map(str::len).max();
    assert!(widest.is_some_and(|width| width <= 100), "{}", found.stdout);

    let token = found.token();
    let replayed = scratch.run(&["replay", token]);
    replayed.check(1, &["assertion `left == right` failed", "store AtomicUsize#0"]);
    // The whole answer, so also its steps, stacks and table.
    assert_eq!(scratch.run(&["replay", token]).stdout, replayed.stdout);
    assert_eq!(replayed.token(), token);

    let shown = scratch.run(&["show", "--full", token]);
    shown.check(1, &["store AtomicUsize#0"]);
    assert!(shown.stdout.starts_with("scratch tests::both_count:\n  panic: assertion"), "{}", shown.stdout);
    scratch.run(&["shrink", token]).check(1, &["assertion `left == right` failed"]);
}

/// A lost wake-up, which no search finds in its first run.
const GATE: &str = "use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};

#[test]
fn opens() {
    let gate = Arc::new((AtomicBool::new(false), Mutex::new(()), Condvar::new()));
    let theirs = Arc::clone(&gate);
    let waiter = std::thread::spawn(move || {
        while !theirs.0.load(SeqCst) {
            let guard = theirs.1.lock().unwrap();
            drop(theirs.2.wait(guard).unwrap());
        }
    });
    gate.0.store(true, SeqCst);
    gate.2.notify_all();
    waiter.join().unwrap();
}
";

#[test]
fn a_replay_is_the_run_of_its_token_and_no_search() {
    let scratch = Scratch::new(&[("tests/gate.rs", GATE)]);
    let found = scratch.run(&["test", "--seed", "0xfeed", "--strategy", "random", "--no-shrink", "--json"]);
    assert_eq!(found.code, Some(1), "{}{}", found.stdout, found.stderr);
    let found = found.json()["tests"][0].clone();
    assert!(found["schedule"].as_u64() > Some(4), "a search whose first runs find it shows nothing: {found}");
    // Without the flags: the token has the strategy, the seed and the settings.
    let replayed = scratch.run(&["replay", "--json", found["token"].as_str().expect("a finding has a token")]).json();
    for field in ["seed", "trace_hash", "kind", "message", "token", "settings", "events"] {
        assert_eq!(replayed[field], found[field], "{field}");
    }
    assert!(replayed["schedules"].as_u64() <= Some(1), "{replayed}");
}

#[test]
fn a_replay_does_not_depend_on_the_profile_of_the_build() {
    let scratch = racy();
    let token = scratch.run(&["test"]).token().to_owned();
    let hashes = [&["replay", "--json", &token][..], &["replay", "--json", "--release", &token]].map(|arguments| {
        let run = scratch.run(arguments);
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        run.json()["trace_hash"].clone()
    });
    assert!(hashes[0].is_string());
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn the_twin_without_the_bug_is_clean() {
    let scratch = Scratch::new(&[("src/lib.rs", &counter("counter.fetch_add(1, SeqCst);"))]);
    let run = scratch.run(&["test", "--json"]);
    run.check(0, &[]);
    let json = run.json();
    let test = &json["tests"][0];
    assert_eq!((&test["status"], &test["no_choice"]), (&"passed".into(), &false.into()), "{test}");
    assert!(test["schedules"].as_u64() >= Some(1_000) && test["distinct"].as_u64() > Some(2), "{test}");
    assert_eq!(json["exit_code"], 0);
}

#[test]
fn a_bug_that_is_mended_no_longer_replays() {
    let scratch = racy();
    let token = scratch.run(&["test"]).token().to_owned();
    scratch.write("src/lib.rs", &counter("counter.fetch_add(1, SeqCst);"));
    let said = ["scratch tests::both_count: no finding", "if the code has changed, this is another run"];
    scratch.run(&["replay", &token]).check(0, &said);
    scratch.write(
        "src/lib.rs",
        r#"#[cfg(test)]
mod tests {
    #[test]
    fn another() {}
}
"#,
    );
    scratch.run(&["replay", &token]).check(2, &["names test `tests::both_count`, which this project does not have"]);
}

#[test]
fn a_search_without_a_choice_says_so() {
    let scratch = Scratch::new(&[("tests/alone.rs", "#[test]\nfn alone() {}\n")]);
    scratch.run(&["test"]).check(0, &["1 distinct: nothing to choose", "1 had nothing to choose"]);
}

#[test]
fn a_slow_search_without_a_choice_ends_early_and_says_so() {
    let suite = r#"#[test]
fn slow() {
    let mut sum = 0_u64;
    (0..2_000_000).for_each(|number| sum = std::hint::black_box(sum ^ number));
}
"#;
    let scratch = Scratch::new(&[("tests/alone.rs", suite)]);
    let run = scratch.run(&["test", "--json"]);
    run.check(0, &["nothing to choose"]);
    let schedules = run.json()["tests"][0]["schedules"].as_u64();
    assert!(schedules >= Some(20) && schedules < Some(1_000), "{schedules:?} schedules");
}

#[test]
fn a_signal_ends_a_search_with_what_is_known() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let files = [
        ("src/lib.rs", counter("counter.fetch_add(1, SeqCst);")),
        (
            "tests/beside.rs",
            "#[test]\nfn beside() { use std::thread::{spawn, yield_now}; let other = spawn(yield_now); yield_now(); other.join().unwrap(); }\n".into(),
        ),
    ];
    let scratch = Scratch::new(&files.each_ref().map(|(path, text)| (*path, text.as_str())));
    for (signal, code) in [(rustix::process::Signal::INT, 130), (rustix::process::Signal::TERM, 143)] {
        let mut command = scratch.command(&["test", "--for", "600s", "--jobs", "2"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let stderr = BufReader::new(child.stderr.take().expect("it is a pipe"));
        let mut lines = stderr.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("Searching 2 tests")), "the search begins");
        // Both tests have begun after this time.
        assert!(Command::new("sleep").arg("4").status().is_ok_and(|status| status.success()));
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).expect("it runs");
        let run = Run::of(child.wait_with_output().expect("it ends"));
        run.check(code, &["2 tests: ", "2 interrupted", "; stopped"]);
        let (_, summary) = run.stdout.split_once("Summary").expect("there is a summary");
        assert!(!summary.contains("; 0 schedules"), "the runs that were made are counted: {summary}");
    }
}

/// The processes of this machine whose command line has this text.
fn processes_with(text: &str) -> usize {
    let entries = std::fs::read_dir("/proc").expect("Linux has it").filter_map(Result::ok);
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(text)).count()
}

/// Whether this process ignores SIGHUP, as under `nohup`, and so do the processes that it starts.
fn ignores_hangups() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has this file");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("it has this line");
    u64::from_str_radix(ignored.trim(), 16).expect("a set of signals") & 1 == 1
}

#[test]
fn no_process_of_a_test_outlives_a_search_that_is_killed_or_loses_its_terminal() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let name = format!("endless_{}", std::process::id());
    let suite = format!("#[test]\nfn {name}() {{ loop {{ std::hint::black_box(1); }} }}\n");
    let scratch = Scratch::new(&[("tests/suite.rs", &suite)]);
    let signals = [(rustix::process::Signal::KILL, None), (rustix::process::Signal::HUP, Some(143))];
    // A search that ignores SIGHUP continues without its terminal.
    for (signal, code) in signals.into_iter().take(if ignores_hangups() { 1 } else { 2 }) {
        let mut command = scratch.command(&["test", "--hang", "600s"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let stderr = BufReader::new(child.stderr.take().expect("it is a pipe"));
        let mut lines = stderr.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("Searching 1 test")), "the search begins");
        let sleeps =
            |time: &str| assert!(Command::new("sleep").arg(time).status().is_ok_and(|status| status.success()));
        sleeps("3");
        assert_eq!(processes_with(&name), 1, "the test runs");
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).expect("it runs");
        assert_eq!(child.wait().expect("it ends").code(), code);
        sleeps("1");
        assert_eq!(processes_with(&name), 0, "the test outlives {signal:?}");
    }
}
