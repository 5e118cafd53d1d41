//! Programs with a planted bug and their correct twins: the bug is found, the twin stays clean.

use std::sync::Arc;

use lastref_runtime::sync::{Condvar, Mutex};
use lastref_runtime::testing::{Explored, explore};
use lastref_runtime::thread;

/// Explores the program, and checks the kind of the finding.
#[track_caller]
fn check(kind: Option<&str>, code: impl Fn() + Send + Sync + 'static) -> Explored {
    let explored = explore("program", &[], code).expect("the settings are valid");
    assert_eq!(explored.kind.as_deref(), kind, "{}", explored.text);
    explored
}

/// A consumer that waits for a value. With the bug it looks at the value before it holds the lock, so the wake-up may
/// come in between.
fn wake_up(is_buggy: bool) {
    let shared = Arc::new((Mutex::new(false), Condvar::new()));
    let other = Arc::clone(&shared);
    let producer = thread::spawn(move || {
        *other.0.lock().expect("not poisoned") = true;
        other.1.notify_one();
    });
    let (flag, filled) = &*shared;
    if is_buggy {
        let is_set = *flag.lock().expect("not poisoned");
        if !is_set {
            let guard = flag.lock().expect("not poisoned");
            drop(filled.wait(guard).expect("not poisoned"));
        }
    } else {
        let mut guard = flag.lock().expect("not poisoned");
        while !*guard {
            guard = filled.wait(guard).expect("not poisoned");
        }
    }
    producer.join().expect("the producer does not panic");
}

#[test]
fn a_lost_wake_up_is_a_deadlock() {
    let explored = check(Some("deadlock"), || wake_up(true));
    assert!(explored.text.contains("wait Condvar#0"), "{}", explored.text);
    check(None, || wake_up(false));
}
