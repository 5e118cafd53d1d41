//! Destructors that wait while a panic unwinds their task: the report names their operation, and the panic is not lost.
mod searches;

use lastref::cell::RaceCell;
use lastref::sync::Mutex;
use lastref::{Check, ViolationKind, thread};
use searches::ALL;

/// Tells this test's own program that it is the child whose process ends.
const GOES_DOWN: &str = "LASTREF_TEST_GOES_DOWN";

#[expect(clippy::disallowed_methods, reason = "selects the part of the child process; no run reads it")]
fn goes_down() -> bool {
    std::env::var_os(GOES_DOWN).is_some()
}

/// Joins its task when it is dropped.
struct JoinsAtLast(Option<thread::JoinHandle<()>>);

impl Drop for JoinsAtLast {
    fn drop(&mut self) {
        self.0.take().expect("dropped once").join();
    }
}

/// No task can switch while a panic unwinds it, so the process ends, with a message that names the destructor's
/// operation.
#[track_caller]
fn check_stuck(test: &str, does: &str, body: fn()) {
    if goes_down() {
        body();
    }
    let own = std::env::current_exe().expect("a test has a program");
    let mut child = std::process::Command::new(own);
    let output = child.args(["--exact", test, "--nocapture"]).env(GOES_DOWN, "1").output().expect("the child starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{told}");
    assert!(told.contains(&format!("a destructor {does} while its own task panics")), "{told}");
}

#[test]
fn a_destructor_that_would_wait_while_its_task_panics_is_told() {
    check_stuck("a_destructor_that_would_wait_while_its_task_panics_is_told", "waits (join)", || {
        Check::new("stuck").schedules(1).run(|| {
            let _joins = JoinsAtLast(Some(thread::spawn(|| ())));
            panic!("the first panic");
        });
    });
}

#[test]
fn a_destructor_that_joins_a_panicked_thread_while_its_own_panics_is_told() {
    check_stuck("a_destructor_that_joins_a_panicked_thread_while_its_own_panics_is_told", "joins a task", || {
        let _joins = JoinsAtLast(Some(thread::spawn(|| panic!("another panic"))));
        panic!("the first panic");
    });
}

/// loom cannot lock while a panic unwinds: the panic is reported before the destructor locks.
#[test]
fn a_panic_whose_destructors_lock_is_a_finding_under_every_engine() {
    struct LocksAtLast(Mutex<u32>);
    impl Drop for LocksAtLast {
        fn drop(&mut self) {
            *self.0.lock() += 1;
        }
    }
    for engine in ALL {
        let failure = Check::new("locks").engine(engine).search(|| {
            let _locks = LocksAtLast(Mutex::new(0));
            panic!("the first panic");
        });
        let failure = failure.expect_err("it panics");
        assert_eq!(
            (failure.violation.kind, failure.violation.message.as_str()),
            (ViolationKind::Panic, "the first panic"),
            "under {engine}"
        );
    }
}

/// std's handle shares the result with its thread by an `Arc`, whose last drop acquires what the others released.
#[test]
fn a_result_that_its_handle_drops_was_written_before() {
    struct ReadAtLast(RaceCell<u32>);
    impl Drop for ReadAtLast {
        fn drop(&mut self) {
            self.0.get();
        }
    }
    Check::new("result").schedules(200).run(|| {
        let task = thread::spawn(|| {
            let result = ReadAtLast(RaceCell::new(0));
            result.0.set(1);
            result
        });
        while !task.is_finished() {
            thread::yield_now();
        }
        drop(task);
    });
}

/// The handle is gone, so the task drops its result itself.
#[test]
fn a_result_whose_destructor_panics_is_a_finding_under_every_engine() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("bomb");
        }
    }
    for engine in ALL {
        let failure = Check::new("bomb").engine(engine).search(|| drop(thread::spawn(|| Bomb))).expect_err("it panics");
        assert_eq!(failure.violation.message, "bomb", "under {engine}: {failure}");
    }
}
