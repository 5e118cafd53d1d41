//! Verdicts can be trusted: a bug of the harness is not a finding, a misuse is reported as a misuse, no run hangs in
//! silence, and "complete" names its bound.
mod searches;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize as Plain, Ordering::SeqCst};
use std::sync::{Arc as Shared, LazyLock};
use std::task::Poll;
use std::time::Duration;

use lastref::cell::RaceCell;
use lastref::explore::Preemptions;
use lastref::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use lastref::sync::{Arc, Mutex, RwLock, mpsc};
use lastref::{Check, Engine, Limits, ViolationKind, property, thread};
use searches::{ALL, SCHEDULED};

/// The search tells nothing about the body, and says this instead.
#[track_caller]
fn told(check: &Check, body: impl Fn() + Send + Sync + 'static) -> String {
    let searched = catch_unwind(AssertUnwindSafe(|| check.search(body)));
    let panic = searched.expect_err("the search must not come to a verdict");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).unwrap_or_default(),
    }
}

#[track_caller]
fn check_told(engines: &[Engine], words: &[&str], body: fn()) {
    for engine in engines {
        let text = told(&Check::new("told").engine(*engine).schedules(50), body);
        for word in words {
            assert!(text.contains(word), "under {engine}, `{word}` is not in: {text}");
        }
    }
}

#[test]
fn an_object_made_outside_is_an_error_at_its_first_use_that_names_where_it_was_made() {
    for engine in ALL {
        let check = Check::new("outside").engine(engine).schedules(10);
        let line = line!() + 1;
        let atomic = Shared::new(AtomicUsize::new(0));
        let made = format!("sim/tests/trust.rs:{line}");
        let text = told(&check, move || {
            let other = Shared::clone(&atomic);
            let task = thread::spawn(move || other.store(other.load(Ordering::Relaxed) + 1, Ordering::Relaxed));
            atomic.store(atomic.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            task.join();
        });
        assert!(text.contains(&made) && text.contains("outside the run"), "under {engine}: {text}");

        let mutex = Shared::new(Mutex::named("shared", 0));
        let text = told(&check, move || *mutex.lock() += 1);
        assert!(text.contains("`shared`") && text.contains("outside the run"), "under {engine}: {text}");

        let (arc, cell, lock) = (Arc::new(1), RaceCell::new(1), RwLock::new(1));
        assert!(told(&check, move || drop(arc.clone())).contains("outside the run"), "under {engine}");
        assert!(told(&check, move || cell.set(2)).contains("outside the run"), "under {engine}");
        assert!(told(&check, move || drop(lock.read())).contains("outside the run"), "under {engine}");

        let (sender, receiver) = mpsc::channel();
        let text = told(&check, move || {
            let _ = sender.send(1);
            let _ = receiver.recv();
        });
        assert!(text.contains("outside the run"), "under {engine}: {text}");
    }
}

#[test]
fn a_static_of_an_earlier_run_is_an_error_and_no_other_object_of_this_run() {
    static KEPT: LazyLock<Mutex<u32>> = LazyLock::new(|| Mutex::named("kept", 0));
    check_told(&[Engine::Fiber], &["`kept`", "another run", "sim/tests/trust.rs"], || {
        let own = Mutex::named("own", 0);
        let _held = own.lock();
        *KEPT.lock() += 1;
    });
    static OF_LOOM: LazyLock<AtomicUsize> = LazyLock::new(|| AtomicUsize::new(0));
    check_told(&[Engine::Loom], &["another run"], || {
        OF_LOOM.load(Ordering::Relaxed);
        let task = thread::spawn(|| OF_LOOM.store(1, Ordering::Relaxed));
        OF_LOOM.load(Ordering::Relaxed);
        task.join();
    });
}

#[test]
fn a_resource_of_another_run_is_an_error() {
    use lastref::ledger::{Owner, Resource};
    static KEPT: std::sync::OnceLock<Resource> = std::sync::OnceLock::new();
    check_told(&[Engine::Fiber], &["`buffer`", "another run"], || {
        let owner = Owner::new("task", 0);
        KEPT.get_or_init(|| Resource::acquire("buffer", owner)).touch(owner);
        Resource::acquire("other", owner).release(owner);
    });
}

#[test]
fn a_thread_of_the_system_inside_a_run_is_told_as_that() {
    check_told(&[Engine::Fiber], &["std::thread::spawn", "lastref::thread::spawn"], || {
        let lock = Shared::new(Mutex::new(0));
        let own = Shared::clone(&lock);
        let stranger = std::thread::spawn(move || *own.lock() += 1);
        let _ = stranger.join();
        *lock.lock() += 1;
    });
}

#[test]
fn a_waker_used_by_a_thread_of_the_system_is_told_as_that() {
    check_told(&[Engine::Shuttle], &["std::thread::spawn", "lastref::thread::spawn"], || {
        lastref::net::block_on(std::future::poll_fn(|context| {
            let waker = context.waker().clone();
            let _ = std::thread::spawn(move || waker.wake()).join();
            Poll::Ready(())
        }));
    });
}

#[test]
fn an_object_that_outlives_its_run_says_so_when_it_is_used() {
    static LEFT: std::sync::Mutex<Option<Mutex<u32>>> = std::sync::Mutex::new(None);
    Check::new("left").schedules(1).run(|| {
        *LEFT.lock().expect("no panic") = Some(Mutex::named("left", 0));
    });
    let left = LEFT.lock().expect("no panic").take().expect("the run made it");
    let panic = catch_unwind(AssertUnwindSafe(|| *left.lock() += 1)).expect_err("its run is over");
    let text = panic.downcast_ref::<String>().expect("a text").clone();
    assert!(text.contains("`left`") && text.contains("after its run"), "{text}");
}

#[test]
fn a_sixth_thread_under_loom_is_told_with_its_line() {
    let line = line!() + 2;
    let text = told(&Check::new("six").engine(Engine::Loom), || {
        (0..5).map(|_| thread::spawn(|| ())).collect::<Vec<_>>().into_iter().for_each(thread::JoinHandle::join);
    });
    assert!(text.contains("at most 5 threads") && text.contains(&format!("trust.rs:{line}")), "{text}");
}

#[test]
fn a_read_lock_taken_twice_beside_a_writer_is_not_a_state_of_loom() {
    let text = told(&Check::new("recursive").engine(Engine::Loom), || {
        let lock = Shared::new(RwLock::new(()));
        let other = Shared::clone(&lock);
        let task = thread::spawn(move || drop(other.write()));
        let (one, two) = (lock.read(), lock.read());
        drop((one, two));
        task.join();
    });
    assert!(text.contains("read lock") && text.contains("search it under fiber"), "{text}");
}

#[test]
fn a_bug_of_a_model_is_no_finding() {
    check_told(&ALL, &["a bug of the harness or of a model", "seed 0x", "please report it"], || {
        let state = 3;
        if state > 2 {
            lastref::bug!("there is no state {state}");
        }
    });
    let failure =
        Check::new("own").search(|| panic!("invariant: a word of the component's own")).expect_err("it panics");
    assert_eq!(failure.violation.kind, ViolationKind::Panic, "{failure}");
}

#[test]
fn a_run_that_makes_no_step_is_given_up_with_its_last_operation() {
    let limits = Limits { patience: Duration::from_millis(300), ..Limits::default() };
    let line = line!() + 6;
    let random = Check::new("silent").strategy(lastref::StrategyName::RANDOM);
    let text = told(&random.seed(7).limits(limits), || {
        static FLAG: Plain = Plain::new(0);
        let lock = Mutex::new(0);
        let task = thread::Builder::new().name("spinner").spawn(move || {
            *lock.lock() += 1;
            while FLAG.load(SeqCst) == 0 {
                std::thread::park_timeout(Duration::from_millis(5));
            }
        });
        task.join();
    });
    assert!(text.contains("silent, seed 0x7") && text.contains("spinner, unlock"), "{text}");
    assert!(text.contains(&format!("trust.rs:{line}")) && text.contains("Limits::patience"), "{text}");
}

#[test]
fn a_std_mutex_held_over_an_operation_does_not_hang_in_silence() {
    let limits = Limits { patience: Duration::from_millis(300), ..Limits::default() };
    let text = told(&Check::new("held").limits(limits), || {
        let lock = Shared::new(std::sync::Mutex::new(0));
        let other = Shared::clone(&lock);
        let task = thread::spawn(move || {
            let held = other.lock().expect("no panic");
            thread::yield_now();
            drop(held);
        });
        let held = lock.lock().expect("no panic");
        thread::yield_now();
        drop(held);
        task.join();
    });
    assert!(text.contains("a std Mutex held over an operation"), "{text}");
}

/// Says to this test's own program that it is the child that goes down.
const GOES_DOWN: &str = "LASTREF_TEST_GOES_DOWN";

#[expect(clippy::disallowed_methods, reason = "how the child is told its part; no run sees it")]
fn goes_down() -> bool {
    std::env::var_os(GOES_DOWN).is_some()
}

/// What this test says on stderr in a process of its own, which ends with 101.
#[track_caller]
fn told_by_child(test: &str) -> String {
    let own = std::env::current_exe().expect("a test has a program");
    let mut child = std::process::Command::new(own);
    let child = child.args(["--exact", test, "--nocapture"]).env(GOES_DOWN, "1");
    let output = child.output().expect("the child starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(101), "{told}");
    told
}

#[test]
fn a_run_that_hangs_outside_a_check_ends_the_process_with_its_report() {
    if goes_down() {
        let name = lastref::CaseName { scenario: String::from("hangs"), ..lastref::CaseName::default() };
        let limits = Limits { patience: Duration::from_millis(300), ..Limits::default() };
        let body = |(): &()| {
            let lock = Mutex::named("held", 0);
            let _held = lock.lock();
            std::thread::park();
        };
        let case = lastref::Case::new(name, || proptest::strategy::Just(()), body).limits(limits);
        lastref::explore::run_one(&case, Engine::Fiber, lastref::StrategyName::RANDOM, 7);
    }
    let told = told_by_child("a_run_that_hangs_outside_a_check_ends_the_process_with_its_report");
    assert!(told.contains("hangs, seed 0x7") && told.contains("main, lock at"), "{told}");
}

#[test]
fn a_stack_overflow_names_the_task_and_the_knob() {
    if goes_down() {
        Check::new("overflow").run(|| {
            fn deep(left: u32) -> u32 {
                let room = std::hint::black_box([left; 1_024]);
                if left == 0 { room[0] } else { deep(left - 1) + room[1] }
            }
            let task = thread::Builder::new().name("diver").spawn(|| _ = deep(100_000));
            task.join();
        });
    }
    let told = told_by_child("a_stack_overflow_names_the_task_and_the_knob");
    assert!(told.contains("stack overflow in task diver") && told.contains("Limits::stack_bytes"), "{told}");
}

#[test]
fn a_larger_stack_holds_what_the_default_does_not() {
    fn deep(left: u32) -> u32 {
        let room = std::hint::black_box([left; 1_024]);
        if left == 0 { room[0] } else { deep(left - 1) + room[1] }
    }
    let limits = Limits { stack_bytes: 4 * 1024 * 1024, ..Limits::default() };
    Check::new("deep").schedules(2).limits(limits).run(|| thread::spawn(|| _ = deep(300)).join());
}

#[test]
fn reads_of_a_plain_cell_nest_and_last_over_a_switch() {
    for engine in SCHEDULED {
        Check::new("nested").engine(engine).run(|| {
            let cell = Shared::new(RaceCell::new(1));
            let other = Shared::clone(&cell);
            let task = thread::spawn(move || other.with(|_| thread::yield_now()));
            let lock = Mutex::new(0);
            cell.with(|one| cell.with(|two| assert_eq!(one, two)));
            cell.with(|one| *lock.lock() += *one);
            task.join();
        });
    }
}

#[test]
fn a_write_over_another_tasks_access_is_a_race_and_inside_its_own_a_mistake() {
    let failure = Check::new("overlap")
        .search(|| {
            let cell = Shared::new(RaceCell::named("field", 1));
            let (go, gone) = mpsc::channel();
            let other = Shared::clone(&cell);
            let task = thread::spawn(move || {
                other.with(|_| {
                    let _ = go.send(());
                    thread::yield_now();
                });
            });
            let _ = gone.recv();
            cell.set(2);
            task.join();
        })
        .expect_err("the write comes while the read is under way");
    assert_eq!(failure.violation.kind, ViolationKind::DataRace, "{failure}");
    check_told(&[Engine::Fiber], &["`field`", "same task's access"], || {
        let cell = Shared::new(RaceCell::named("field", 1));
        // An access that has ended is not in progress.
        let other = Shared::clone(&cell);
        thread::spawn(move || _ = other.get()).join();
        cell.with(|_| cell.set(2));
    });
}

#[test]
fn a_loop_on_one_value_lets_the_other_task_run() {
    for engine in SCHEDULED {
        for strategy in [lastref::StrategyName::RANDOM, lastref::StrategyName::pct(1), lastref::StrategyName::pct(3)] {
            Check::new("spin").engine(engine).strategy(strategy).schedules(200).run(|| {
                let flag = Shared::new(AtomicBool::new(false));
                let own = Shared::clone(&flag);
                let task = thread::spawn(move || own.store(true, Ordering::Release));
                while !flag.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                task.join();
            });
        }
    }
}

#[test]
fn a_caught_panic_gives_its_locks_and_channels_back() {
    for engine in [Engine::Fiber, Engine::Threads] {
        Check::new("caught").engine(engine).schedules(300).run(|| {
            let lock = Shared::new(Mutex::new(0));
            let (sender, receiver) = mpsc::channel::<u32>();
            let own = Shared::clone(&lock);
            let task = thread::spawn(move || {
                let caught = catch_unwind(AssertUnwindSafe(move || {
                    let _held = own.lock();
                    let _sender = sender;
                    panic!("caught");
                }));
                assert!(caught.is_err());
            });
            assert!(receiver.recv().is_err(), "the sender is gone");
            *lock.lock() += 1;
            task.join();
        });
    }
}

#[test]
fn a_caught_panic_under_loom_is_no_finding_and_one_with_a_lock_held_is_more_than_loom_can_do() {
    Check::new("caught").engine(Engine::Loom).run(|| {
        let count = Arc::new(AtomicUsize::new(0));
        let own = count.clone();
        let task = thread::spawn(move || {
            let caught = catch_unwind(AssertUnwindSafe(move || {
                own.store(1, Ordering::Release);
                panic!("caught");
            }));
            assert!(caught.is_err());
        });
        count.load(Ordering::Acquire);
        task.join();
    });
    check_told(&[Engine::Loom], &["the panic was caught", "search it under fiber"], || {
        let lock = Shared::new(Mutex::new(0));
        let own = Shared::clone(&lock);
        let caught = catch_unwind(AssertUnwindSafe(move || {
            let _held = own.lock();
            panic!("caught");
        }));
        assert!(caught.is_err());
        *lock.lock() += 1;
    });
}

#[test]
fn an_uncaught_panic_is_a_finding_under_every_engine() {
    for engine in ALL {
        let failure = Check::new("uncaught")
            .engine(engine)
            .search(|| {
                let lock = Mutex::new(0);
                let _held = lock.lock();
                panic!("not caught");
            })
            .expect_err("it panics");
        assert_eq!(
            (failure.violation.kind, failure.violation.message.as_str()),
            (ViolationKind::Panic, "not caught"),
            "under {engine}"
        );
    }
}

/// One task loads and then stores, the other loads: both orders.
#[test]
fn loom_tries_a_store_before_and_after_another_tasks_load() {
    let report = Check::new("orders").engine(Engine::Loom).search(|| {
        let x = Shared::new(AtomicUsize::new(0));
        let own = Shared::clone(&x);
        let task = thread::spawn(move || {
            if own.load(Ordering::Acquire) == 0 {
                own.store(1, Ordering::Release);
            }
        });
        let seen = x.load(Ordering::Acquire) == 1;
        property::sometimes("seen", seen);
        property::sometimes("not seen", !seen);
        task.join();
    });
    let report = report.expect("nothing is checked");
    assert!(report.complete && report.schedules > 1, "{report:?}");
    assert_eq!(report.reached.keys().map(String::as_str).collect::<Vec<_>>(), ["not seen", "seen"], "{report:?}");
}

#[test]
fn loom_says_its_bound_and_raises_it_while_the_budget_lasts() {
    let body = || {
        let x = Shared::new(AtomicUsize::new(0));
        let tasks = (0..2).map(|_| {
            let own = Shared::clone(&x);
            thread::spawn(move || (0..2).for_each(|_| _ = own.fetch_add(1, Ordering::SeqCst)))
        });
        tasks.collect::<Vec<_>>().into_iter().for_each(thread::JoinHandle::join);
    };
    let bound = |limits: Limits, schedules: u64| {
        let check = Check::new("bound").engine(Engine::Loom).limits(limits).schedules(schedules);
        let report = check.search(body).expect("nothing is checked");
        assert!(report.schedules <= schedules, "{report:?}");
        (report.preemptions, report.complete, report.schedules)
    };
    let (unbounded, complete, executions) = bound(Limits::default(), 100_000);
    assert_eq!((unbounded, complete), (Some(Preemptions::Unbounded), true));
    let one = Limits { preemptions_max: Some(1), ..Limits::default() };
    let (at_most, _, fewer) = bound(one, 100_000);
    assert_eq!(at_most, Some(Preemptions::AtMost(1)));
    assert!(fewer < executions, "{fewer} of {executions}");
    assert_eq!(bound(Limits::default(), 2).0, None, "not even the first bound");
    let most = Limits { preemptions_max: Some(255), ..Limits::default() };
    assert!(bound(most, 100_000).1, "loom keeps its bound in a byte");
}

#[test]
fn a_search_under_loom_makes_no_more_executions_than_it_is_told() {
    let calls = Shared::new(AtomicU64::new(0));
    let counted = Shared::clone(&calls);
    let report = Check::new("ten").engine(Engine::Loom).schedules(10).search(move || {
        counted.fetch_add(1, SeqCst);
        let x = Shared::new(AtomicUsize::new(0));
        let tasks = (0..3).map(|_| {
            let own = Shared::clone(&x);
            thread::spawn(move || _ = own.fetch_add(1, Ordering::SeqCst))
        });
        tasks.collect::<Vec<_>>().into_iter().for_each(thread::JoinHandle::join);
    });
    let report = report.expect("nothing is checked");
    assert_eq!((report.schedules, calls.load(SeqCst), report.complete), (10, 10, false));
}

#[test]
fn the_body_is_called_as_often_as_the_documentation_says() {
    for (strategy, learning) in [(lastref::StrategyName::MIX, 4), (lastref::StrategyName::RANDOM, 0)] {
        let calls = Shared::new(AtomicU64::new(0));
        let counted = Shared::clone(&calls);
        let report = Check::new("calls").strategy(strategy).schedules(3_000).search(move || {
            counted.fetch_add(1, SeqCst);
        });
        let report = report.expect("nothing is checked");
        assert_eq!(report.schedules, 3_000);
        assert_eq!(calls.load(SeqCst), 3_000 + report.rechecked + learning);
    }
}

#[test]
fn nothing_keeps_what_the_body_captured_after_a_search() {
    for engine in ALL {
        for _ in 0..20 {
            let captured = Shared::new(());
            let inside = Shared::clone(&captured);
            Check::new("captured").engine(engine).schedules(3).run(move || {
                let _ = &inside;
                thread::spawn(|| ()).join();
            });
            assert_eq!(Shared::strong_count(&captured), 1, "under {engine}");
        }
    }
}

#[test]
fn a_finding_of_a_search_says_its_schedule_and_how_to_shrink_it() {
    let failure = Check::new("lost_update")
        .search(|| {
            let count = Shared::new(AtomicUsize::new(0));
            let other = Shared::clone(&count);
            let task = thread::spawn(move || other.store(other.load(Ordering::SeqCst) + 1, Ordering::SeqCst));
            count.store(count.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
            task.join();
            assert_eq!(count.load(Ordering::SeqCst), 2);
        })
        .expect_err("an update is lost");
    let text = failure.to_string();
    assert!(text.starts_with("lost_update:\n"), "{text}");
    let schedule = failure.schedule.expect("a search counts its schedules");
    assert!(text.contains(&format!("found in schedule {schedule}\n")), "{text}");
    assert!(text.contains("shrink: LASTREF_SHRINK=1 LASTREF_SEED=0x"), "{text}");
}

#[test]
fn zero_schedules_are_refused() {
    let panic = catch_unwind(|| Check::new("none").schedules(0)).expect_err("0 is refused");
    let text = panic.downcast_ref::<&str>().copied().unwrap_or_default();
    assert!(text.contains("the minimum is 1"), "{text}");
}

/// After a run, its OS thread is outside any run again: its own objects are std's, and the use of an object left by the
/// run is reported.
#[test]
fn a_run_is_over_for_the_thread_that_made_it() {
    let name = lastref::CaseName { scenario: String::from("over"), ..lastref::CaseName::default() };
    let left = Shared::new(std::sync::Mutex::new(None));
    let store = Shared::clone(&left);
    let body = move |(): &()| *store.lock().expect("not poisoned") = Some(Mutex::named("left", 0));
    let case = lastref::Case::new(name, || proptest::strategy::Just(()), body);
    lastref::explore::run_one(&case, Engine::Fiber, lastref::StrategyName::RANDOM, 7);
    let own = Mutex::new(1);
    *own.lock() += 1;
    assert_eq!(*own.lock(), 2);
    let left = left.lock().expect("not poisoned").take().expect("the body was run");
    let used = catch_unwind(AssertUnwindSafe(|| *left.lock() += 1)).expect_err("its run is over");
    let text = used.downcast::<String>().map(|text| *text).unwrap_or_default();
    assert!(text.contains("`left` is used at") && text.contains("after its run"), "{text}");
}

#[test]
fn a_waker_that_has_outlived_its_run_wakes_nothing() {
    static LEFT: std::sync::Mutex<Option<std::task::Waker>> = std::sync::Mutex::new(None);
    let wake = || LEFT.lock().expect("no panic").take().map(std::task::Waker::wake);
    let search = move |is_next: bool| {
        Check::new("waker").schedules(1).run(move || {
            assert_eq!(wake().is_some(), is_next, "of the run before");
            lastref::net::block_on(std::future::poll_fn(|context| {
                *LEFT.lock().expect("no panic") = Some(context.waker().clone());
                Poll::Ready(())
            }));
        });
    };
    search(false);
    search(true);
    assert_eq!(wake(), Some(()), "outside any run");
}

#[test]
fn loom_raises_its_bound_by_one_preemption_at_a_time() {
    let body = || {
        let x = Shared::new(AtomicUsize::new(0));
        let tasks = (0..2).map(|_| {
            let own = Shared::clone(&x);
            thread::spawn(move || (0..3).for_each(|_| _ = own.fetch_add(1, Ordering::SeqCst)))
        });
        tasks.collect::<Vec<_>>().into_iter().for_each(thread::JoinHandle::join);
    };
    let explored = |most: Option<u8>, schedules: u64| {
        let limits = Limits { preemptions_max: most, ..Limits::default() };
        let check = Check::new("raise").engine(Engine::Loom).limits(limits).schedules(schedules);
        check.search(body).expect("nothing is checked")
    };
    let [first, second] = [2, 3].map(|most| explored(Some(most), 100_000));
    assert_eq!(first.preemptions, Some(Preemptions::AtMost(2)));
    assert_eq!(second.preemptions, Some(Preemptions::AtMost(3)));
    assert!(second.schedules > first.schedules, "the second bound adds executions to the first exploration's");
    // The budget is that of the first two explorations, and has no room for a third.
    assert_eq!(explored(None, second.schedules + 1).preemptions, Some(Preemptions::AtMost(3)));
}

#[test]
fn what_a_task_asks_of_an_engine_that_cannot_do_it_is_told() {
    let others = [Engine::Loom, Engine::Threads];
    check_told(&others, &["lastref::task::spawn", "scheduled engine"], || drop(lastref::task::spawn(async {})));
    check_told(&others, &["lastref::task::sleep", "scheduled engine"], || {
        lastref::task::block_on(lastref::task::sleep(Duration::from_secs(1)));
    });
    check_told(&others, &["lastref::net::simulate", "scheduled engine"], || {
        lastref::net::simulate(lastref::net::Config::default(), |_| ());
    });
}

#[test]
fn a_run_within_a_run_is_told_as_that() {
    check_told(&[Engine::Fiber, Engine::Shuttle], &["within a task of another run"], || {
        let name = lastref::CaseName::default();
        let case = lastref::Case::new(name, || proptest::strategy::Just(()), |(): &()| {});
        lastref::explore::run_one(&case, Engine::Fiber, lastref::StrategyName::MIX, 1);
    });
}
