//! The strategies find what they are known to find, on programs of the standard set of systematic concurrency testing
//! (SCTBench), within bounds that a broken strategy misses.

use std::sync::atomic::AtomicBool;

use lastref::explore::{Budget, Cell, Hunt, LoomBudget, Quiet, RECHECK_PERCENT};
use lastref::sync::atomic::{self, AtomicI64, Ordering::SeqCst};
use lastref::sync::{Arc, Mutex};
use lastref::{Case, CaseName, Engine, StrategyName, property, thread};
use proptest::prelude::Just;

/// The mean of the schedules to the first finding, over 20 seeds; every seed must find it within 10,000.
#[track_caller]
fn mean(strategy: StrategyName, body: fn()) -> f64 {
    let name = CaseName { component: "test".to_owned(), scenario: "program".to_owned(), variant: "fixed".to_owned() };
    let case = Case::new(name, || Just(()), move |()| body());
    let stop = AtomicBool::new(false);
    let of = |trial: u64| Hunt {
        cells: vec![Cell { case: case.clone(), engine: Engine::Fiber, strategy, budget: Budget::exactly(10_000) }],
        seed: trial * 7 + 1,
        loom: LoomBudget::at_most(1),
        recheck_percent: RECHECK_PERCENT,
        deadline: None,
        jobs: 1,
        stop: &stop,
        observer: &Quiet,
    };
    let found: Vec<u64> = (0..20)
        .map(|trial| {
            let report = of(trial).run().remove(0);
            assert!(report.failure().is_some(), "{strategy}, trial {trial}: not found in 10,000 schedules");
            report.schedules
        })
        .collect();
    found.iter().sum::<u64>() as f64 / found.len() as f64
}

/// reorder_3: two setters write a, then b; the checker sees a new and b old.
fn reorder_3() {
    let pair = Arc::new((AtomicI64::new(0), AtomicI64::new(0)));
    let setters: Vec<_> = (0..2)
        .map(|_| {
            let pair = Arc::clone(&pair);
            thread::spawn(move || {
                pair.0.store(1, SeqCst);
                pair.1.store(-1, SeqCst);
            })
        })
        .collect();
    let checker = thread::spawn(move || {
        let (a, b) = (pair.0.load(SeqCst), pair.1.load(SeqCst));
        property::always("both old or both new", (a == 0 && b == 0) || (a == 1 && b == -1));
    });
    setters.into_iter().chain([checker]).for_each(thread::JoinHandle::join);
}

/// twostage: the reader comes between the two stages.
fn twostage() {
    let data = Arc::new((Mutex::new(0), Mutex::new(0)));
    let writer = {
        let data = Arc::clone(&data);
        thread::spawn(move || {
            *data.0.lock() = 1;
            let first = *data.0.lock();
            *data.1.lock() = first + 1;
        })
    };
    let reader = thread::spawn(move || {
        let first = *data.0.lock();
        if first != 0 {
            property::always("the second stage is there", *data.1.lock() == first + 1);
        }
    });
    writer.join();
    reader.join();
}

/// bluetooth: the adder sees no stop, the stopper stops, the adder uses the device.
fn bluetooth() {
    let device = Arc::new((atomic::AtomicBool::new(false), AtomicI64::new(1), atomic::AtomicBool::new(false)));
    let adder = {
        let device = Arc::clone(&device);
        thread::spawn(move || {
            if device.0.load(SeqCst) {
                return;
            }
            device.1.fetch_add(1, SeqCst);
            property::always("the device runs while it is used", !device.2.load(SeqCst));
            if device.1.fetch_sub(1, SeqCst) == 1 {
                device.2.store(true, SeqCst);
            }
        })
    };
    device.0.store(true, SeqCst);
    if device.1.fetch_sub(1, SeqCst) == 1 {
        device.2.store(true, SeqCst);
    }
    adder.join();
}

#[test]
fn every_strategy_finds_an_ordering_bug() {
    for strategy in StrategyName::all() {
        assert!(mean(strategy, reorder_3) < 150.0, "{strategy}");
    }
}

#[test]
fn every_strategy_finds_a_bug_between_two_stages() {
    for strategy in StrategyName::all() {
        assert!(mean(strategy, twostage) < 400.0, "{strategy}");
    }
}

#[test]
fn every_strategy_finds_a_check_that_is_too_old() {
    for strategy in StrategyName::all() {
        assert!(mean(strategy, bluetooth) < 400.0, "{strategy}");
    }
}

#[test]
fn pct_with_more_change_points_than_steps_still_searches() {
    // shuttle's own PCT finds nothing here: every step of so short a program becomes a change point.
    assert!(mean(StrategyName::pct(50), bluetooth) < 2_000.0);
}

/// A timer fires while the task that would have come first is ready.
fn overtaken() {
    let done = Arc::new(AtomicBool::new(false));
    let own = Arc::clone(&done);
    let task = thread::spawn(move || {
        (0..3).for_each(|_| thread::yield_now());
        own.store(true, SeqCst);
    });
    thread::sleep(std::time::Duration::from_millis(1));
    property::always("a millisecond is long enough", done.load(SeqCst));
    task.join();
}

#[test]
fn every_strategy_lets_a_timer_overtake_a_ready_task() {
    for strategy in StrategyName::all() {
        assert!(mean(strategy, overtaken) < 150.0, "{strategy}");
    }
}

/// On real threads the millisecond passes while the loop waits.
#[test]
fn under_every_strategy_a_loop_that_yields_until_a_timer_fires_ends() {
    for strategy in StrategyName::all() {
        lastref::Check::new("timer").strategy(strategy).schedules(200).run(|| {
            let done = Arc::new(AtomicBool::new(false));
            let own = Arc::clone(&done);
            let sleeper = thread::spawn(move || {
                thread::sleep(std::time::Duration::from_millis(1));
                own.store(true, SeqCst);
            });
            while !done.load(SeqCst) {
                thread::yield_now();
            }
            sleeper.join();
        });
    }
}

/// The loop reads no value that could tell the engine that it spins.
#[test]
fn under_every_strategy_a_task_that_yields_lets_the_others_end() {
    for strategy in StrategyName::all() {
        lastref::Check::new("yields").strategy(strategy).schedules(200).run(|| {
            let tasks = [(); 2].map(|()| thread::spawn(|| (0..3).for_each(|_| thread::yield_now())));
            while !tasks.iter().all(thread::JoinHandle::is_finished) {
                thread::yield_now();
            }
            tasks.into_iter().for_each(thread::JoinHandle::join);
        });
    }
}
