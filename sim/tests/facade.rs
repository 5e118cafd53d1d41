//! The facade behaves the same under every engine, and each engine finds what it is for.
mod searches;

use std::time::Duration;

use lastref::cell::RaceCell;
use lastref::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use lastref::sync::{Arc, Condvar, Mutex, Once, OnceLock, RwLock, Weak, mpsc};
use lastref::time::Instant;
use lastref::{Check, Engine, Limits, ViolationKind, property, thread};
use searches::{ALL, SCHEDULED, clean, found};

#[test]
fn a_mutex_excludes() {
    clean(&ALL, || {
        let count = Arc::new(Mutex::new(0));
        let other = {
            let count = Arc::clone(&count);
            thread::spawn(move || *count.lock() += 1)
        };
        *count.lock() += 1;
        other.join();
        assert_eq!(*count.lock(), 2);
    });
}

#[test]
fn an_unguarded_increment_is_lost() {
    found(&SCHEDULED, ViolationKind::Panic, || {
        let count = Arc::new(AtomicUsize::new(0));
        let other = {
            let count = Arc::clone(&count);
            thread::spawn(move || count.store(count.load(Ordering::SeqCst) + 1, Ordering::SeqCst))
        };
        count.store(count.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
        other.join();
        assert_eq!(count.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn try_lock_sees_a_lock_held() {
    // Not under loom, which does not branch where a lock is given back.
    found(&[Engine::Fiber], ViolationKind::Property, || {
        let lock = Arc::new(Mutex::new(()));
        let other = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || drop(lock.lock()))
        };
        property::always("the lock is free", lock.try_lock().is_some());
        other.join();
    });
}

#[test]
fn two_locks_in_two_orders_deadlock_and_each_holder_is_named() {
    let failure = found(&[Engine::Loom, Engine::Fiber], ViolationKind::Deadlock, || {
        let a = Arc::new(Mutex::named("a", ()));
        let b = Arc::new(Mutex::named("b", ()));
        let other = {
            let (a, b) = (Arc::clone(&a), Arc::clone(&b));
            thread::Builder::new().name("other").spawn(move || {
                let _a = a.lock();
                let _b = b.lock();
            })
        };
        {
            let _b = b.lock();
            let _a = a.lock();
        }
        other.join();
    });
    let facts: Vec<String> = failure.violation.facts.iter().map(|(who, what)| format!("{who}: {what}")).collect();
    assert!(facts.iter().any(|fact| fact.starts_with("main: lock a#0, held by other,")), "{facts:?}");
    assert!(facts.iter().any(|fact| fact.starts_with("other: lock b#0, held by main,")), "{facts:?}");
}

#[test]
fn readers_share_and_a_writer_excludes() {
    clean(&ALL, || {
        let lock = Arc::new(RwLock::new((0, 0)));
        let writer = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || {
                let mut pair = lock.write();
                pair.0 += 1;
                pair.1 += 1;
            })
        };
        let pair = *lock.read();
        assert_eq!(pair.0, pair.1);
        writer.join();
    });
    found(&[Engine::Fiber], ViolationKind::Property, || {
        let lock = Arc::new(RwLock::new(()));
        let readers = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let (lock, readers) = (Arc::clone(&lock), Arc::clone(&readers));
                thread::spawn(move || {
                    let _shared = lock.read();
                    let others = readers.fetch_add(1, Ordering::SeqCst);
                    property::always("no reader meets another", others == 0);
                    readers.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        tasks.into_iter().for_each(thread::JoinHandle::join);
    });
}

#[test]
fn readers_order_nothing_among_themselves() {
    found(&[Engine::Fiber], ViolationKind::DataRace, || {
        let shared = std::sync::Arc::new((RwLock::new(()), RaceCell::new(0)));
        let other = {
            let shared = std::sync::Arc::clone(&shared);
            thread::spawn(move || {
                let _shared = shared.0.read();
                shared.1.set(1);
            })
        };
        {
            let _shared = shared.0.read();
            shared.1.set(2);
        }
        other.join();
    });
}

#[test]
fn a_failed_upgrade_orders_nothing() {
    found(&SCHEDULED, ViolationKind::DataRace, || {
        let strong = Arc::new(());
        let weak = Arc::downgrade(&strong);
        let cell = std::sync::Arc::new(RaceCell::new(0));
        let other = {
            let cell = std::sync::Arc::clone(&cell);
            thread::spawn(move || {
                if weak.upgrade().is_none() {
                    cell.get();
                }
            })
        };
        cell.set(1);
        drop(strong);
        other.join();
    });
}

/// Real threads: the last strong reference goes between the two counts that an upgrade raises.
#[test]
fn an_upgrade_that_loses_against_the_last_drop_is_no_leak_on_real_threads() {
    Check::new("upgrade").engine(Engine::Threads).schedules(50).run(|| {
        let upgraders: Vec<_> = (0..2)
            .map(|_| {
                let (give, take) = std::sync::mpsc::channel::<Weak<u32>>();
                (give, thread::spawn(move || take.iter().for_each(|weak| drop(weak.upgrade()))))
            })
            .collect();
        for nth in 0..200 {
            let strong = Arc::new(nth);
            for (give, _) in &upgraders {
                give.send(Arc::downgrade(&strong)).expect("it takes all");
            }
            drop(strong);
        }
        for (give, upgrader) in upgraders {
            drop(give);
            upgrader.join();
        }
    });
}

#[test]
fn a_failed_assertion_tells_both_sides() {
    let failure = found(&[Engine::Fiber], ViolationKind::Panic, || assert_eq!(1 + 1, 3));
    assert!(failure.violation.facts.iter().any(|(_, value)| value == "left: 2"), "{failure}");
}

#[test]
fn a_condition_variable_hands_over() {
    clean(&ALL, || {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let other = {
            let pair = Arc::clone(&pair);
            thread::spawn(move || {
                *pair.0.lock() = true;
                pair.1.notify_one();
            })
        };
        let ready = pair.1.wait_while(pair.0.lock(), |ready| !*ready);
        assert!(*ready);
        drop(ready);
        other.join();
    });
}

#[test]
fn a_lost_wake_up_is_a_deadlock() {
    found(&SCHEDULED, ViolationKind::Deadlock, || {
        let pair = Arc::new((Mutex::new(()), Condvar::new()));
        let other = {
            let pair = Arc::clone(&pair);
            thread::spawn(move || pair.1.notify_one())
        };
        let guard = pair.1.wait(pair.0.lock());
        drop(guard);
        other.join();
    });
}

#[test]
fn notify_one_may_wake_any_waiter() {
    found(&[Engine::Fiber], ViolationKind::Property, || {
        let pair = Arc::new((Mutex::new((0, None)), Condvar::new()));
        let waiters: Vec<_> = (0..2)
            .map(|id| {
                let pair = Arc::clone(&pair);
                thread::spawn(move || {
                    let mut state = pair.0.lock();
                    let place = state.0;
                    state.0 += 1;
                    state = pair.1.wait(state);
                    property::always("the first waiter is woken first", state.1.is_some() || place == 0);
                    state.1 = Some(id);
                    drop(state);
                })
            })
            .collect();
        while pair.0.lock().0 < 2 {
            thread::yield_now();
        }
        pair.1.notify_one();
        while pair.0.lock().1.is_none() {
            thread::yield_now();
        }
        pair.1.notify_all();
        waiters.into_iter().for_each(thread::JoinHandle::join);
    });
}

#[test]
fn an_unguarded_cell_is_a_race_in_every_engine_that_orders() {
    let failure = found(&[Engine::Loom, Engine::Fiber], ViolationKind::DataRace, || {
        let cell = std::sync::Arc::new(RaceCell::named("field", 0));
        let other = {
            let cell = std::sync::Arc::clone(&cell);
            thread::spawn(move || cell.set(1))
        };
        cell.set(2);
        other.join();
    });
    assert_eq!(failure.violation.property, "field is accessed in order");
    assert_eq!(failure.table.matches("write field#0").count(), 2, "both accesses have a row:\n{}", failure.table);
    clean(&ALL, || {
        let cell = std::sync::Arc::new((Mutex::new(()), RaceCell::new(0)));
        let other = {
            let cell = std::sync::Arc::clone(&cell);
            thread::spawn(move || {
                let _guard = cell.0.lock();
                cell.1.set(1);
            })
        };
        {
            let _guard = cell.0.lock();
            cell.1.set(2);
        }
        other.join();
        cell.1.get();
    });
}

fn publish(store: Ordering, load: Ordering) {
    let shared = std::sync::Arc::new((AtomicBool::new(false), RaceCell::new(0)));
    let other = {
        let shared = std::sync::Arc::clone(&shared);
        thread::spawn(move || {
            shared.1.set(7);
            shared.0.store(true, store);
        })
    };
    if shared.0.load(load) {
        assert_eq!(shared.1.get(), 7);
    }
    other.join();
}

#[test]
fn a_relaxed_flag_does_not_publish() {
    found(&SCHEDULED, ViolationKind::DataRace, || publish(Ordering::Relaxed, Ordering::Acquire));
    found(&SCHEDULED, ViolationKind::DataRace, || publish(Ordering::Release, Ordering::Relaxed));
    clean(&ALL, || publish(Ordering::Release, Ordering::Acquire));
}

fn publish_by_fences(before: Option<Ordering>, after: Option<Ordering>) {
    let shared = std::sync::Arc::new((AtomicBool::new(false), RaceCell::new(0)));
    let other = {
        let shared = std::sync::Arc::clone(&shared);
        thread::spawn(move || {
            shared.1.set(7);
            before.into_iter().for_each(fence);
            shared.0.store(true, Ordering::Relaxed);
        })
    };
    if shared.0.load(Ordering::Relaxed) {
        after.into_iter().for_each(fence);
        assert_eq!(shared.1.get(), 7);
    }
    other.join();
}

#[test]
fn fences_lend_their_order_to_relaxed_accesses_and_each_needs_the_other() {
    const FENCES: (Option<Ordering>, Option<Ordering>) = (Some(Ordering::Release), Some(Ordering::Acquire));
    clean(&ALL, || publish_by_fences(FENCES.0, FENCES.1));
    found(&SCHEDULED, ViolationKind::DataRace, || publish_by_fences(FENCES.0, None));
    found(&SCHEDULED, ViolationKind::DataRace, || publish_by_fences(None, FENCES.1));
}

#[test]
fn a_failed_exchange_orders_by_its_failure_ordering() {
    fn read_after_failure(failure: Ordering) {
        let shared = std::sync::Arc::new((AtomicUsize::new(0), RaceCell::new(0)));
        let own = std::sync::Arc::clone(&shared);
        let other = thread::spawn(move || {
            own.1.set(7);
            own.0.store(1, Ordering::Release);
        });
        if shared.0.compare_exchange(0, 2, Ordering::AcqRel, failure).is_err() {
            shared.1.get();
        }
        other.join();
    }
    found(&[Engine::Fiber], ViolationKind::DataRace, || read_after_failure(Ordering::Relaxed));
    clean(&[Engine::Fiber], || read_after_failure(Ordering::Acquire));
}

/// The third task sees the flag at 2 only after the first has set it to 1.
#[test]
fn a_relaxed_update_continues_a_release_sequence_and_a_relaxed_store_ends_it() {
    fn publish_by_way_of(passes_on: fn(&AtomicUsize)) {
        let shared = std::sync::Arc::new((AtomicUsize::new(0), RaceCell::new(0)));
        let [first, second] = [(); 2].map(|()| std::sync::Arc::clone(&shared));
        let sets = thread::spawn(move || {
            first.1.set(7);
            first.0.store(1, Ordering::Release);
        });
        let passes = thread::spawn(move || passes_on(&second.0));
        if shared.0.load(Ordering::Acquire) == 2 {
            shared.1.get();
        }
        [sets, passes].into_iter().for_each(thread::JoinHandle::join);
    }
    clean(&[Engine::Fiber], || publish_by_way_of(|flag| _ = flag.fetch_add(1, Ordering::Relaxed)));
    found(&[Engine::Fiber], ViolationKind::DataRace, || {
        publish_by_way_of(|flag| {
            if flag.load(Ordering::Relaxed) == 1 {
                flag.store(2, Ordering::Relaxed);
            }
        });
    });
}

#[test]
fn a_stale_value_is_for_loom_alone() {
    fn store_buffering() {
        let shared = Arc::new((AtomicBool::new(false), AtomicBool::new(false)));
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.0.store(true, Ordering::Relaxed);
                shared.1.load(Ordering::Relaxed)
            })
        };
        shared.1.store(true, Ordering::Relaxed);
        let mine = shared.0.load(Ordering::Relaxed);
        let theirs = other.join();
        property::always("one of the two sees the other's store", mine || theirs);
    }
    found(&[Engine::Loom], ViolationKind::Property, store_buffering);
    clean(&[Engine::Fiber], store_buffering);
}

#[test]
fn a_weak_reference_rises_only_while_the_value_lives() {
    clean(&ALL, || {
        let strong = Arc::new(5);
        let weak = Arc::downgrade(&strong);
        let other = thread::spawn(move || weak.upgrade().map(|value| *value));
        drop(strong);
        let seen = other.join();
        assert!(matches!(seen, None | Some(5)));
    });
    found(&SCHEDULED, ViolationKind::Property, || {
        let strong = Arc::new(5);
        let weak = Arc::downgrade(&strong);
        let other = thread::spawn(move || weak.upgrade().is_some());
        drop(strong);
        property::always("the value is there", other.join());
    });
}

#[test]
fn a_count_of_references_is_of_those_that_there_are() {
    clean(&ALL, || {
        let held = Arc::new(1);
        let (one, other) = (Arc::clone(&held), Arc::clone(&held));
        assert_eq!(Arc::strong_count(&held), 3);
        let task = thread::spawn(move || drop(one));
        task.join();
        assert_eq!(Arc::strong_count(&held), 2);
        assert!(Arc::ptr_eq(&held, &other) && !Arc::ptr_eq(&held, &Arc::new(1)));
        drop(other);
        assert_eq!(Arc::strong_count(&held), 1);
    });
}

#[test]
fn a_cycle_of_references_is_a_leak() {
    struct Node {
        next: Mutex<Option<Arc<Node>>>,
        _back: Weak<Node>,
    }
    let failure = found(&ALL, ViolationKind::Leak, || {
        let node = Arc::named("Node", Node { next: Mutex::new(None), _back: Weak::new() });
        *node.next.lock() = Some(Arc::clone(&node));
    });
    assert_eq!(failure.violation.property, "Node is released by quiescence");
}

#[test]
fn time_passes_only_by_sleeping_and_never_backwards() {
    clean(&[Engine::Fiber], || {
        let start = Instant::now();
        assert_eq!(start.elapsed(), Duration::ZERO);
        let other = thread::spawn(|| thread::sleep(Duration::from_secs(3)));
        thread::sleep(Duration::from_secs(2));
        let first = start.elapsed();
        assert!(first >= Duration::from_secs(2));
        other.join();
        assert!(start.elapsed() >= Duration::from_secs(3));
        assert!(start.elapsed() >= first);
    });
}

#[test]
fn sleepers_overtake_ready_tasks_by_no_more_than_the_timer_slack() {
    let limits = lastref::Limits { timer_slack: Duration::from_secs(10), ..lastref::Limits::default() };
    let result = Check::new("slack").limits(limits).schedules(2_000).search(|| {
        let ticker = thread::spawn(|| (0..40).for_each(|_| thread::sleep(Duration::from_secs(1))));
        let start = Instant::now();
        thread::yield_now();
        property::always("a step takes no longer than the timer slack", start.elapsed() <= Duration::from_secs(10));
        property::sometimes("time passed over a ready task", start.elapsed() > Duration::ZERO);
        ticker.join();
    });
    let report = result.expect("within the timer slack");
    assert!(report.reached.contains_key("time passed over a ready task"), "{report:?}");
}

#[test]
fn once_runs_once_and_a_lock_is_written_once() {
    clean(&ALL, || {
        let shared = Arc::new((Once::new(), OnceLock::new(), AtomicUsize::new(0)));
        assert!(!shared.0.is_completed());
        assert_eq!(shared.1.get(), None);
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.0.call_once(|| {
                    shared.2.fetch_add(1, Ordering::Relaxed);
                });
                *shared.1.get_or_init(|| 1)
            })
        };
        shared.0.call_once(|| {
            shared.2.fetch_add(1, Ordering::Relaxed);
        });
        let mine = *shared.1.get_or_init(|| 2);
        assert_eq!(other.join(), mine);
        assert_eq!(shared.2.load(Ordering::Relaxed), 1);
        assert!(shared.0.is_completed());
        assert_eq!(shared.1.get(), Some(&mine));
    });
}

#[test]
fn a_task_that_is_not_joined_must_still_end() {
    found(&[Engine::Fiber], ViolationKind::Deadlock, || {
        let lock = Arc::new((Mutex::new(()), Condvar::new()));
        thread::spawn(move || drop(lock.1.wait(lock.0.lock())));
    });
    clean(&ALL, || {
        let done = Arc::new(AtomicBool::new(false));
        thread::spawn(move || done.store(true, Ordering::SeqCst));
    });
}

#[test]
fn a_loop_that_waits_without_yielding_is_a_stall() {
    let failure = found(&[Engine::Fiber], ViolationKind::Stall, || {
        let flag = AtomicBool::new(false);
        while !flag.load(Ordering::SeqCst) {}
    });
    assert!(failure.to_string().contains("Limits::steps_max"), "{failure}");
}

#[test]
fn a_stall_by_a_timer_that_overtakes_names_the_timer_slack() {
    // Below the 10,000 choices after which pct lets another task run.
    let limits = Limits { steps_max: 5_000, ..Limits::default() };
    let search = Check::new("stall").engine(Engine::Fiber).schedules(2_000).limits(limits).search(|| {
        let done = Arc::new(AtomicBool::new(false));
        let other = Arc::clone(&done);
        let setter = thread::spawn(move || other.store(true, Ordering::SeqCst));
        while !done.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        setter.join();
    });
    let failure = search.expect_err("a run in which the sleeper always overtakes");
    assert_eq!(failure.violation.kind, ViolationKind::Stall, "{failure}");
    assert!(failure.to_string().contains("Limits::timer_slack"), "{failure}");
}

#[test]
fn a_panic_in_any_task_is_told_with_its_place() {
    let failure = found(&ALL, ViolationKind::Panic, || {
        thread::spawn(|| panic!("the text of the panic")).join();
    });
    assert_eq!(failure.violation.message, "the text of the panic");
    assert!(
        failure.violation.facts.iter().any(|(label, at)| label == "panicked at" && at.contains("facade.rs:")),
        "{failure}"
    );
}

#[test]
fn outside_any_run_the_facade_is_plain_std() {
    let count = Arc::new(Mutex::new(0));
    let other = {
        let count = Arc::clone(&count);
        thread::spawn(move || *count.lock() += 1)
    };
    other.join();
    let (sender, receiver) = mpsc::channel();
    sender.send(*count.lock()).expect("the receiver is there");
    assert_eq!(receiver.recv_timeout(Duration::from_secs(5)), Ok(1));
    assert!(Instant::now().elapsed() < Duration::from_secs(60));
    let before = Instant::now();
    thread::sleep(Duration::from_millis(20));
    assert!(before.elapsed() >= Duration::from_millis(20), "{:?}", before.elapsed());
    let counted = Arc::new(());
    let again = Arc::clone(&counted);
    assert_eq!(Arc::strong_count(&counted), 2);
    drop(again);
    assert_eq!(Arc::strong_count(&counted), 1);
}

/// Reads its cell when it is dropped.
struct ReadAtLast(RaceCell<u32>);

impl Drop for ReadAtLast {
    fn drop(&mut self) {
        self.0.get();
    }
}

#[test]
fn a_drop_of_the_last_reference_happens_after_the_drops_of_the_others() {
    clean(&SCHEDULED, || {
        let held = Arc::new(ReadAtLast(RaceCell::new(0)));
        let other = {
            let held = Arc::clone(&held);
            thread::spawn(move || held.0.set(1))
        };
        drop(held);
        other.join();
    });
}
