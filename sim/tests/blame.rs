//! A finding points at the line that did it: through helpers, out of destructors, and in a deadlock for each task.

use lastref::ledger::{Owner, Resource};
use lastref::sync::atomic::{AtomicUsize, Ordering, fence};
use lastref::sync::{Arc, Condvar, Mutex, RwLock};
use lastref::{Check, Engine, Failure, ViolationKind, thread};

const OWNER: Owner = Owner::new("owner", 0);

#[track_caller]
fn fact<'a>(failure: &'a Failure, label: &str) -> &'a str {
    let found = failure.violation.facts.iter().find(|(other, _)| other == label);
    found.map_or_else(|| panic!("no fact `{label}` in {failure}"), |(_, value)| value)
}

/// A buffer that is given back when it is dropped, as the buffers of a pool are.
struct Pooled(Resource);

impl Drop for Pooled {
    #[track_caller]
    fn drop(&mut self) {
        self.0.release(OWNER);
    }
}

/// The same without the attribute.
struct Plain(Resource);

impl Drop for Plain {
    fn drop(&mut self) {
        self.0.release(OWNER);
    }
}

/// Drops two things that both release one buffer, each after a lock was taken; returns the lines of the two locks.
fn dropped_twice<T: Send + 'static>(make: fn(Resource) -> T) -> (Box<Failure>, [u32; 2]) {
    const FIRST: u32 = line!() + 6;
    let failure = Check::new("drops").search(move || {
        let gate = Mutex::named("gate", ());
        let buffer = Resource::acquire("buffer", OWNER);
        let (one, other) = (make(buffer), make(buffer));
        // The two lines that are to be named.
        drop(gate.lock());
        drop(one);
        drop(gate.lock());
        drop(other);
    });
    let failure = failure.expect_err("a buffer is released twice");
    assert_eq!(failure.violation.kind, ViolationKind::DoubleRelease, "{failure}");
    (failure, [FIRST, FIRST + 2])
}

#[test]
fn a_release_in_a_drop_names_the_operation_before_it_and_not_cores_glue() {
    let (failure, [first, second]) = dropped_twice(Pooled);
    let place = |line: u32| format!("in a drop after sim/tests/blame.rs:{line}");
    assert!(fact(&failure, "released by").ends_with(&place(first)), "{failure}");
    assert!(fact(&failure, "here").ends_with(&place(second)), "{failure}");
    assert!(!failure.to_string().contains("core/src"), "{failure}");
}

#[test]
fn what_the_last_reference_drops_names_the_operation_before_it() {
    let (failure, [first, second]) = dropped_twice(|buffer| Arc::new(Pooled(buffer)));
    let place = |line: u32| format!("in a drop after sim/tests/blame.rs:{line}");
    assert!(fact(&failure, "released by").ends_with(&place(first)), "{failure}");
    assert!(fact(&failure, "here").ends_with(&place(second)), "{failure}");
}

#[test]
fn a_drop_without_the_attribute_names_its_own_line() {
    let (failure, _) = dropped_twice(Plain);
    let here = fact(&failure, "here");
    assert!(here.contains("sim/tests/blame.rs:") && !here.contains("in a drop"), "{failure}");
    assert_eq!(here.rsplit(':').next(), fact(&failure, "released by").rsplit(':').next(), "{failure}");
}

/// Under both engines that see deadlocks, the facts are these, up to the line.
#[track_caller]
fn deadlocks(expected: &[(&str, &str)], body: fn()) {
    for engine in [Engine::Fiber, Engine::Loom] {
        let failure = Check::new("deadlock").engine(engine).search(body).expect_err("no task can go on");
        assert_eq!(failure.violation.kind, ViolationKind::Deadlock, "{engine}: {failure}");
        let told: Vec<(&str, &str)> = failure
            .violation
            .facts
            .iter()
            .filter_map(|(task, wait)| Some((task.as_str(), wait.split_once(", at sim/tests/blame.rs:")?.0)))
            .collect();
        assert_eq!(told, expected, "{engine}: {failure}");
        let names: Vec<&str> = expected.iter().map(|(task, _)| *task).collect();
        assert!(
            failure.violation.message.starts_with(&format!("no task can go on: {} ", names.join(", "))),
            "{failure}"
        );
    }
}

fn named(name: &str, body: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    thread::Builder::new().name(name).spawn(body)
}

#[test]
fn a_deadlock_names_the_task_that_a_join_waits_for_and_a_missing_notification() {
    deadlocks(&[("main", "join other"), ("other", "wait work#0, not notified")], || {
        let pair = Arc::new((Mutex::named("queue", ()), Condvar::named("work")));
        let other = named("other", move || drop(pair.1.wait(pair.0.lock())));
        other.join();
    });
}

#[test]
fn a_deadlock_says_who_holds_the_mutex_that_a_notified_waiter_needs() {
    let expected = [("main", "join other"), ("other", "wait work#0, notified, needs queue#0, held by main")];
    deadlocks(&expected, || {
        let shared = Arc::new((Mutex::named("queue", false), Condvar::named("started"), Condvar::named("work")));
        let other = {
            let shared = Arc::clone(&shared);
            named("other", move || {
                let (queue, started, work) = &*shared;
                let mut waits = queue.lock();
                *waits = true;
                started.notify_one();
                drop(work.wait(waits));
            })
        };
        let (queue, started, work) = &*shared;
        let waits = started.wait_while(queue.lock(), |waits| !*waits);
        work.notify_all();
        other.join();
        drop(waits);
    });
}

#[test]
fn a_deadlock_names_every_reader_that_a_writer_waits_for() {
    let expected = [("main", "join writer"), ("writer", "write_lock table#0, held by main")];
    deadlocks(&expected, || {
        let table = Arc::new(RwLock::named("table", ()));
        let reads = table.read();
        let writer = {
            let table = Arc::clone(&table);
            named("writer", move || drop(table.write()))
        };
        writer.join();
        drop(reads);
    });
}

#[test]
fn a_deadlock_of_two_locks_names_both_holders() {
    let expected = [("main", "lock a#0, held by other"), ("other", "lock b#0, held by main")];
    deadlocks(&expected, || {
        let (a, b) = (Arc::new(Mutex::named("a", ())), Arc::new(Mutex::named("b", ())));
        let other = {
            let (a, b) = (Arc::clone(&a), Arc::clone(&b));
            named("other", move || {
                let _a = a.lock();
                drop(b.lock());
            })
        };
        {
            let _b = b.lock();
            drop(a.lock());
        }
        other.join();
    });
}

/// std's atomics panic there too.
#[test]
fn an_ordering_that_an_operation_cannot_have_is_a_panic_at_its_line() {
    let bodies: [fn(); 4] = [
        || _ = AtomicUsize::new(0).load(Ordering::Release),
        || AtomicUsize::new(0).store(1, Ordering::Acquire),
        || _ = AtomicUsize::new(0).compare_exchange(0, 1, Ordering::AcqRel, Ordering::Release),
        || fence(Ordering::Relaxed),
    ];
    for (body, engine) in bodies.iter().flat_map(|body| [Engine::Fiber, Engine::Loom].map(|engine| (*body, engine))) {
        let failure = Check::new("ordering").engine(engine).search(body).expect_err("it panics");
        assert!(failure.violation.message.starts_with("there is no such thing as a"), "{engine}: {failure}");
        assert!(fact(&failure, "panicked at").contains("sim/tests/blame.rs:"), "{engine}: {failure}");
    }
}

/// The short table shows where each resource comes from and goes to, and the uses of the one that the finding is about.
#[test]
fn a_table_shows_the_uses_of_the_resource_of_the_finding_only() {
    let failure = Check::new("uses").search(|| {
        let [kept, freed] = ["kept", "freed"].map(|class| Resource::acquire(class, OWNER));
        kept.access(OWNER);
        freed.access(OWNER);
        kept.release(OWNER);
        freed.release(OWNER);
        freed.release(OWNER);
    });
    let failure = failure.expect_err("a buffer is released twice");
    let both = ["kept#0 acquired by owner#0", "kept#0 released by owner#0", "freed#0 used by owner#0"];
    for words in both {
        assert!(failure.table.contains(words), "{}", failure.table);
    }
    assert!(!failure.table.contains("kept#0 used"), "{}", failure.table);
    assert!(failure.full_table.contains("kept#0 used by owner#0"), "{}", failure.full_table);
}
