//! `park` and `unpark` are std's under every engine: one permit, which no other operation takes or gives.
mod searches;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use lastref::cell::RaceCell;
use lastref::sync::atomic::{AtomicUsize, Ordering};
use lastref::sync::{Arc, Condvar, Mutex};
use lastref::time::Instant;
use lastref::{Check, Engine, ViolationKind, property, thread};
use searches::{ALL, SCHEDULED, clean, found};

#[test]
fn a_join_ends_with_the_task_and_not_with_an_unpark() {
    clean(&ALL, || {
        let main = thread::current();
        thread::spawn(move || main.unpark()).join();
        thread::park();
    });
}

#[test]
fn a_permit_outlasts_a_yield_and_a_wait_for_a_lock() {
    clean(&ALL, || {
        thread::current().unpark();
        thread::yield_now();
        thread::park();
    });
    clean(&ALL, || {
        let (main, lock) = (thread::current(), Arc::new(Mutex::new(())));
        let own = Arc::clone(&lock);
        let other = thread::spawn(move || {
            let _held = own.lock();
            main.unpark();
        });
        drop(lock.lock());
        thread::park();
        other.join();
    });
}

#[test]
fn two_permits_are_one() {
    found(&SCHEDULED, ViolationKind::Deadlock, || {
        for _ in 0..2 {
            let main = thread::current();
            drop(thread::spawn(move || main.unpark()));
        }
        thread::park();
        thread::park();
    });
}

#[test]
fn an_unpark_orders_only_what_parks() {
    found(&SCHEDULED, ViolationKind::DataRace, || {
        let (main, shared) = (thread::current(), Arc::new((RaceCell::new(0), AtomicUsize::new(0))));
        let own = Arc::clone(&shared);
        let other = thread::spawn(move || {
            own.0.set(1);
            main.unpark();
            own.1.store(1, Ordering::Relaxed);
        });
        while shared.1.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        let _ = shared.0.get();
        other.join();
    });
}

#[test]
fn an_unpark_wakes_no_waiter_of_a_condition_variable() {
    clean(&SCHEDULED, || {
        let (main, shared) = (thread::current(), Arc::new((Mutex::new(false), Condvar::new())));
        let own = Arc::clone(&shared);
        let other = thread::spawn(move || {
            main.unpark();
            *own.0.lock() = true;
            own.1.notify_one();
        });
        let mut is_set = shared.0.lock();
        if !*is_set {
            is_set = shared.1.wait(is_set);
            property::always("a wait ends with a notification", *is_set);
        }
        drop(is_set);
        other.join();
    });
}

#[test]
fn a_timed_park_lasts_its_time_and_takes_the_permit() {
    clean(&[Engine::Fiber, Engine::Threads], || {
        let start = Instant::now();
        thread::park_timeout(Duration::from_millis(500));
        assert!(start.elapsed() >= Duration::from_millis(500));
    });
    found(&SCHEDULED, ViolationKind::Deadlock, || {
        thread::current().unpark();
        thread::park_timeout(Duration::from_secs(1));
        thread::park();
    });
}

#[test]
fn an_unpark_by_a_thread_of_the_system_or_of_a_handle_made_outside_is_told() {
    for engine in SCHEDULED {
        let check = Check::new("park").engine(engine).schedules(10);
        let told = |body: &(dyn Fn() + Sync)| {
            let panic = std::thread::scope(|scope| scope.spawn(body).join());
            *panic.expect_err("no verdict").downcast::<String>().expect("a text")
        };
        let text = told(&|| {
            check.clone().run(|| {
                let main = thread::current();
                let _ = std::thread::spawn(move || main.unpark()).join();
                thread::park();
            });
        });
        assert!(text.contains("lastref::thread::spawn"), "under {engine}: {text}");
        let outside = thread::current();
        let text = told(&|| {
            let outside = outside.clone();
            check.clone().run(move || outside.unpark());
        });
        assert!(text.contains("outside the run"), "under {engine}: {text}");
    }
}

/// loom waits for the threads of an execution, and a handle may outlive it.
#[test]
fn a_handle_that_outlives_its_execution_is_dropped_in_silence() {
    static KEPT: std::sync::Mutex<Vec<thread::JoinHandle<()>>> = std::sync::Mutex::new(Vec::new());
    Check::new("kept").engine(Engine::Loom).run(|| {
        KEPT.lock().expect("no panic").push(thread::spawn(|| {}));
    });
    let kept = std::mem::take(&mut *KEPT.lock().expect("no panic"));
    assert!(!kept.is_empty());
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(kept)));
    assert!(dropped.is_ok());
}
