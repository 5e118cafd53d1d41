//! Verdicts and texts: a test's use of the system outside the simulator gives no false finding, and a report names its
//! run, its step and its cause.

mod scratch;

use scratch::Scratch;

#[track_caller]
fn clean(suite: &str) {
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let run = scratch.run(&["test", "--schedules", "50"]);
    run.check(0, &[" passed"]);
}

#[test]
fn the_output_of_a_child_process_is_no_deadlock() {
    clean(
        r#"use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn output() {
    let output = Command::new("sh").args(["-c", "sleep 0.1; echo later"]).output().unwrap();
    assert_eq!(output.stdout, b"later\n");
}

#[test]
fn both_ways() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writes = std::thread::spawn(move || stdin.write_all(b"question").unwrap());
    let mut answer = String::new();
    child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    writes.join().unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(answer, "question");
}

#[test]
fn a_child_is_faster_than_a_long_sleep() {
    let sleeps = std::thread::spawn(|| std::thread::sleep(Duration::from_secs(60)));
    let before = std::time::Instant::now();
    let output = Command::new("sh").args(["-c", "sleep 0.05; echo x"]).output().unwrap();
    assert_eq!(output.stdout, b"x\n");
    assert!(before.elapsed() < Duration::from_secs(60), "{:?}", before.elapsed());
    sleeps.join().unwrap();
}

#[test]
fn a_thread_waits_for_a_child_that_another_feeds() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    let waits = std::thread::spawn(move || child.wait().unwrap().success());
    std::thread::yield_now();
    drop(stdin);
    assert!(waits.join().unwrap());
}
"#,
    );
}

#[test]
fn a_thread_has_the_stack_that_it_asks_for() {
    clean(
        r#"fn deep(left: u32) -> u32 {
    let bytes = std::hint::black_box([left as u8; 4096]);
    if left == 0 { bytes[0].into() } else { deep(left - 1) + u32::from(bytes[9] == 77) }
}

#[test]
fn large() {
    for _ in 0..2 {
        let thread = std::thread::Builder::new().stack_size(32 << 20).spawn(|| deep(2_000)).unwrap();
        assert_eq!(thread.join().unwrap(), 8);
    }
}
"#,
    );
}

#[test]
fn a_variable_that_a_schedule_sets_is_not_set_in_the_next() {
    clean(
        r#"#[test]
fn sets() {
    assert!(std::env::var("LR_NEW").is_err() && std::env::var("HOME").is_ok());
    assert_ne!(std::env::var("PATH").unwrap(), "changed");
    unsafe {
        std::env::set_var("LR_NEW", "1");
        std::env::set_var("PATH", "changed");
        std::env::remove_var("HOME");
    }
    assert_eq!(std::env::var("LR_NEW").unwrap(), "1");
}
"#,
    );
}

#[test]
fn a_replay_that_is_clean_twice_but_differs_is_not_deterministic() {
    // Each process has one behaviour: that of the first process, or that of the later ones.
    let suite = r#"#[test]
fn differs() {
    assert!(!std::path::Path::new("fails").exists());
    let own = std::process::id().to_string();
    let first = std::fs::read_to_string("first").unwrap_or_else(|_| {
        std::fs::write("first", &own).unwrap();
        own.clone()
    });
    let count = std::sync::atomic::AtomicU32::new(0);
    for _ in 0..if first == own { 1 } else { 2 } {
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite), ("fails", "")]);
    let found = scratch.run(&["test"]);
    found.check(1, &["panic in schedule 1"]);
    std::fs::remove_file(scratch.path().join("fails")).expect("it exists");
    scratch.run(&["replay", found.token()]).check(3, &["two runs of this token differ", "no finding"]);
    scratch.run(&["replay", found.token()]).check(0, &["no finding"]);
}

#[test]
fn the_clock_of_a_run_begins_when_todays_certificates_are_valid() {
    clean(
        r#"#[test]
fn clock() {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(since.as_secs(), 1_793_491_200);
}
"#,
    );
}

#[test]
fn the_error_that_a_test_returns_is_in_the_report() {
    let suite = r#"#[test]
fn fails() -> Result<(), std::num::ParseIntError> {
    "x".parse::<u8>()?;
    Ok(())
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    scratch
        .run(&["test"])
        .check(1, &["panic in schedule 1: the test returned Error: ParseIntError { kind: InvalidDigit"]);
}

#[test]
fn a_hang_and_a_run_that_differs_have_their_step_and_a_token_that_repeats_them() {
    let suite = r#"use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::Mutex;

#[test]
fn hangs() {
    let lock = Mutex::new(0);
    for _ in 0..5 {
        *lock.lock().unwrap() += 1;
    }
    loop {
        std::hint::black_box(&lock);
    }
}

#[test]
fn differs() {
    let made = AtomicUsize::new(0);
    let now = std::fs::read_to_string("count").unwrap_or_default().len();
    std::fs::write("count", "x".repeat(now + 1)).unwrap();
    for _ in 0..3 + now {
        made.fetch_add(1, SeqCst);
    }
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let run = scratch.run(&["test", "--hang", "3s", "--steps", "5000", "--", "--exact", "hangs"]);
    run.check(1, &["hangs in run 1, step "]);
    assert!(!run.stdout.contains("step 0"), "{}", run.stdout);
    let token = run.token().rsplit(' ').next().expect("a word");
    let replayed = scratch.run(&["replay", "--hang", "3s", "--steps", "5000", token]);
    replayed.check(1, &["suite hangs:\n  hangs at step "]);

    let run = scratch.run(&["test", "--", "--exact", "differs"]);
    run.check(3, &["not deterministic: schedule 1, repeated, differs at step ", "\nseed 0x"]);
    assert!(!run.stdout.contains("step 0"), "{}", run.stdout);
    scratch.run(&["replay", run.token()]).check(3, &["not deterministic"]);
}

#[test]
fn a_search_that_takes_too_long_names_no_run_as_the_cause() {
    let suite = r#"#[test]
fn is_slow() {
    // A search without a choice would end early.
    let yields = || (0..3).for_each(|_| std::thread::yield_now());
    let other = std::thread::spawn(yields);
    yields();
    assert!((0..200_000_u64).fold(0, |sum, number| std::hint::black_box(sum + number)) > 0);
    other.join().unwrap();
}

#[test]
fn gets_stuck() {
    let runs = std::fs::read_to_string("count").unwrap_or_default().len();
    std::fs::write("count", "x".repeat(runs + 1)).unwrap();
    drop(std::sync::Mutex::new(0).lock());
    while runs == 0 {
        std::hint::black_box(runs);
    }
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let run = scratch.run(&["test", "--timeout", "2s", "--for", "60s", "--no-fail-fast"]);
    run.check(
        1,
        &[
            "is_slow:\n  did not end within its time limit; no run was stuck: ",
            "gets_stuck:\n  did not end within its time limit; run 1 ",
        ],
    );
    let tokens = run.stdout.matches("replay: ").count();
    assert_eq!(tokens, 1, "{}", run.stdout);
}

#[test]
fn a_run_that_is_shown_has_its_finding_and_no_internal_places() {
    let suite = r#"use std::io::Read;
use std::os::unix::net::UnixStream;

#[test]
fn after_free() {
    let value = Box::new(7_u64);
    let place = &raw const *value;
    drop(value);
    assert_ne!(unsafe { place.read_volatile() }, 7);
}

#[test]
fn silence() {
    let (mut near, _far) = UnixStream::pair().unwrap();
    let _ = near.read(&mut [0; 4]);
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let run = scratch.run(&["test"]);
    run.check(1, &["use after free", "deadlock", "tests/suite.rs:15"]);
    assert!(!run.stdout.contains("runtime/src"), "{}", run.stdout);
    let tokens: Vec<&str> =
        run.stdout.lines().filter_map(|line| line.strip_prefix("replay: cargo lastref replay ")).collect();
    let shown = scratch.run(&["show", tokens[0]]);
    shown.check(1, &["use after free: an access to a freed block of 8 bytes"]);
}

#[test]
fn a_flag_of_libtest_without_the_two_dashes_gets_a_tip() {
    let scratch = Scratch::new(&[("tests/suite.rs", "#[test]\nfn a() {}\n")]);
    scratch.run(&["test", "--exact", "a"]).check(2, &["unexpected argument '--exact' found", "after `--`"]);
}

#[test]
fn a_crash_is_a_finding_and_the_search_goes_on_in_a_new_process() {
    let suite = r#"use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

unsafe extern "C" {
    fn raise(signal: i32) -> i32;
}

/// A lost update ends the process, by a signal that no handler sees.
#[test]
fn crashes() {
    let ours = Arc::new(AtomicUsize::new(0));
    let theirs = Arc::clone(&ours);
    let add = |counter: &AtomicUsize| counter.store(counter.load(SeqCst) + 1, SeqCst);
    let other = std::thread::spawn(move || add(&theirs));
    add(&ours);
    other.join().unwrap();
    if ours.load(SeqCst) != 2 {
        unsafe { raise(6) };
    }
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let run = scratch.run(&["test", "--json"]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    let test = run.json()["tests"][0].clone();
    let reason = test["reason"].as_str().unwrap_or_default().to_owned();
    assert!(
        test["status"] == "finding" && reason.starts_with("crash in run ") && reason.ends_with("SIGABRT"),
        "{test}"
    );
    let first: u64 = reason.split([' ', ':']).nth(3).and_then(|word| word.parse().ok()).expect("a number");
    assert!(test["schedules"].as_u64() > Some(first), "the search goes on: {test}");
    let replayed = scratch.run(&["replay", test["token"].as_str().expect("a token")]);
    replayed.check(1, &["suite crashes:\n  crash: SIGABRT"]);
}

#[test]
fn a_finding_decides_the_exit_code_beside_tests_that_differ_or_cannot_be_simulated() {
    let suite = r#"#[test]
fn uses_a_file() {
    std::fs::write("count", "x").unwrap();
}

#[test]
fn differs() {
    let now = std::fs::read_to_string("count").unwrap_or_default().len();
    std::fs::write("count", "x".repeat(now + 1)).unwrap();
    let made = std::sync::atomic::AtomicUsize::new(0);
    for _ in 0..3 + now {
        made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn fails() {
    panic!("as planned");
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let code = |arguments: &[&str]| {
        let run = scratch.run(&[&["test", "--schedules", "5", "--json", "--no-shrink"], arguments].concat());
        let json = run.json();
        let statuses = json["tests"].as_array().expect("a list").iter().map(|test| test["status"].clone());
        assert_eq!(run.code.map(i64::from), json["exit_code"].as_i64());
        (statuses.filter_map(|status| status.as_str().map(str::to_owned)).collect::<Vec<_>>(), run.code)
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(code(&["--", "--exact", "differs", "fails"]), (words(&["not_deterministic", "finding"]), Some(1)));
    let refuse = ["--outside", "refuse", "--", "--exact", "uses_a_file"];
    assert_eq!(code(&refuse), (words(&["misused"]), Some(2)));
    assert_eq!(code(&[&refuse[..], &["fails"]].concat()), (words(&["finding", "misused"]), Some(1)));
}

#[test]
fn a_deadlock_beside_a_heartbeat_is_a_stall_and_a_long_test_does_not_read_as_clean() {
    let suite = r#"use std::sync::Mutex;
use std::time::Duration;

#[test]
fn stuck() {
    std::thread::spawn(|| loop {
        std::thread::sleep(Duration::from_millis(100));
    });
    let lock = Mutex::new(());
    let _first = lock.lock().unwrap();
    let _second = lock.lock().unwrap();
}

#[test]
fn long() {
    for _ in 0..100_000 {
        std::thread::sleep(Duration::from_millis(1));
    }
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let run = scratch.run(&["test", "--no-shrink", "--", "--exact", "stuck"]);
    run.check(
        1,
        &[
            "stall in schedule 1: the run has not ended after 200000 steps; main is blocked",
            "lock Mutex#0, last taken by main at tests/suite.rs:10, since step ",
            "stack of main, which waits",
            "active, last operation: sleep, at tests/suite.rs:7",
        ],
    );
    let run = scratch.run(&["test", "--", "--exact", "long"]);
    run.check(
        0,
        &[
            "(step limit: the first run did not end within 200000 steps (--steps raises the limit); at its end main: ",
            "1 skipped at the bound on steps",
            "warning: the search is incomplete, since runs reached the bound on steps (--steps): scratch::suite long",
        ],
    );
}

#[test]
fn a_finding_that_needs_an_early_timer_says_so() {
    let suite = r#"use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

#[test]
fn sleeps_for_order() {
    let flag = Arc::new(AtomicBool::new(false));
    let own = Arc::clone(&flag);
    let sets = thread::spawn(move || {
        for _ in 0..3 {
            thread::yield_now();
        }
        own.store(true, SeqCst);
    });
    thread::sleep(Duration::from_millis(10));
    assert!(flag.load(SeqCst), "ten milliseconds are enough");
    sets.join().unwrap();
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    scratch.run(&["test"]).check(0, &["1 passed"]);
    let told = ["ten milliseconds are enough", "it appears only if a timer fires while tasks can run"];
    scratch.run(&["test", "--explore-time"]).check(1, &told);
}

#[test]
fn a_limit_of_the_address_space_is_named_and_is_not_a_bug_of_lastref() {
    let scratch = Scratch::new(&[("tests/suite.rs", "#[test]\nfn a() {}\n")]);
    // Built without the limit.
    scratch.run(&["test"]).check(0, &["1 passed"]);
    let program = scratch.command(&[]).get_program().to_owned();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -v 16000000; exec \"$0\" lastref test"]).arg(program).current_dir(scratch.path());
    command.env("LASTREF_CACHE", scratch::cache());
    let run = scratch::Run::of(command.output().expect("a shell starts"));
    run.check(2, &["MISUSED", "64 GiB of addresses", "(ulimit -v) is too low"]);
}

#[test]
fn backtraces_of_the_program_and_a_failed_allocation_do_not_hang_a_search() {
    let suite = r#"use std::backtrace::Backtrace;

#[test]
fn too_large() {
    std::hint::black_box(Vec::<u8>::with_capacity(std::hint::black_box(1 << 50)));
}

#[test]
fn panics() {
    let text = Backtrace::force_capture().to_string();
    panic!("{} bytes of a backtrace", text.len().min(1));
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let mut command = scratch.command(&["test", "--hang", "20s", "--no-shrink"]);
    // std then resolves a backtrace if an allocation fails.
    let run = scratch::Run::of(command.env("RUST_BACKTRACE", "1").output().expect("the program starts"));
    run.check(1, &["panic in schedule 1: 1 bytes of a backtrace", "crash in schedule 1", "1125899906842624 bytes"]);
}

/// The threads of the test interleave with a child whose time is real: the seed cannot determine it.
#[test]
fn a_run_that_differs_because_of_a_child_process_passes_with_a_remark() {
    let suite = r#"use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

#[test]
fn polls_a_child() {
    static POLLS: AtomicU64 = AtomicU64::new(0);
    let mut child = Command::new("sleep").arg("0.01").spawn().unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(SeqCst) {
                POLLS.fetch_add(1, SeqCst);
                std::thread::yield_now();
            }
        });
        while child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        is_over.store(true, SeqCst);
    });
}

#[test]
fn reads_a_clock() {
    let mut time = libc_time::cpu_ns();
    while time % 3 != 0 {
        std::thread::yield_now();
        time = libc_time::cpu_ns();
    }
}

mod libc_time {
    use std::ffi::c_int;

    unsafe extern "C" {
        fn clock_gettime(clock: c_int, time: *mut [i64; 2]) -> c_int;
    }

    pub fn cpu_ns() -> i64 {
        let mut time = [0; 2];
        assert_eq!(unsafe { clock_gettime(2, &mut time) }, 0);
        time[1]
    }
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    let search = ["test", "--schedules", "130", "--no-fail-fast", "--", "--exact"];
    let passed = scratch.run(&[&search[..], &["polls_a_child"]].concat());
    passed.check(0, &["PASS", "differs when repeated, since child processes are not simulated"]);
    let differs = scratch.run(&[&search[..], &["reads_a_clock"]].concat());
    differs.check(3, &["DIFFERS"]);
}

/// A sleep takes its real time once while a child exists, also if the child writes meanwhile; and a process that the
/// child has started may write after the child's end.
#[test]
fn a_sleep_beside_a_child_takes_its_time_and_a_pipe_may_outlive_the_child() {
    let suite = r#"use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn ends_in_time() {
    let script = "sleep 0.3; echo first; sleep 1; echo second";
    let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        text
    });
    std::thread::sleep(Duration::from_millis(700));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(reader.join().unwrap(), "first\n");
}

/// Each time limit is one of its own: the waits for earlier lines do not count.
#[test]
fn lines_in_time() {
    let script = "for line in 1 2 3 4 5 6 7 8; do sleep 0.1; echo $line; done";
    let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let (lines, line) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut bytes = [0; 2];
        while output.read_exact(&mut bytes).is_ok() {
            lines.send(bytes[0]).unwrap();
        }
    });
    for expected in b'1'..=b'8' {
        assert_eq!(line.recv_timeout(Duration::from_millis(500)), Ok(expected));
    }
    reader.join().unwrap();
    child.wait().unwrap();
}

#[test]
fn reads_from_a_grandchild() {
    let script = "(sleep 0.3; echo late) & exit 0";
    let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
    child.wait().unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "late\n");
}
"#;
    let scratch = Scratch::new(&[("tests/suite.rs", suite)]);
    scratch.run(&["test", "--schedules", "2"]).check(0, &["3 tests: 3 passed"]);
}
