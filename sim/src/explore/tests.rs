//! A hunt's counts are the sums of its runs' counts, and a reference run counts the operations of its tasks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kernel::record::TaskKey;
use proptest::prelude::any;
use proptest::strategy::Just;

use super::{Budget, Case, CaseName, Cell, Engine, Hunt, LoomBudget, Observer, Report, StrategyName, run_one};
use crate::property::sometimes;
use crate::sync::atomic::AtomicUsize;
use crate::thread;

fn name(scenario: &str) -> CaseName {
    CaseName { component: "test".to_owned(), scenario: scenario.to_owned(), variant: "fixed".to_owned() }
}

/// Performs this many steps on an atomic.
fn step(count: usize) {
    let atomic = AtomicUsize::new(0);
    (0..count).for_each(|_| atomic.store(0, Ordering::Relaxed));
}

/// A case whose runs differ in length and in the rare states that they reach.
fn uneven() -> Case {
    Case::new(
        name("uneven"),
        || (any::<bool>(), 0..5_usize),
        |(rare, steps): &(bool, usize)| {
            let other = thread::spawn(|| step(1));
            step(*steps);
            sometimes("a run is rare", *rare);
            other.join();
        },
    )
}

/// Adds up the reports that it receives.
#[derive(Default)]
struct Told {
    schedules: AtomicU64,
    finished: AtomicU64,
}

impl Observer for Told {
    fn progress(&self, _: usize, schedules: u64, _: f64) {
        self.schedules.fetch_add(schedules, Ordering::SeqCst);
    }

    fn finished(&self, _: usize, _: &Report) {
        self.finished.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_counts_of_a_hunt_are_the_sums_of_its_runs() {
    // More than two chunks, the last of which is not full.
    const RUNS: u64 = 70;
    let budget = Budget::exactly(RUNS);
    let cell = Cell { case: uneven(), engine: Engine::Fiber, strategy: StrategyName::RANDOM, budget };
    let (stop, told) = (AtomicBool::new(false), Told::default());
    let hunt = Hunt {
        cells: vec![cell.clone()],
        seed: 3,
        loom: LoomBudget::at_most(1),
        recheck_percent: 100,
        deadline: None,
        jobs: 2,
        stop: &stop,
        observer: &told,
    };
    let report = hunt.run().remove(0);
    let seeds = cell.seeds(3);
    let runs = (0..RUNS).map(|index| run_one(&cell.case, cell.engine, cell.strategy, seeds.of_run(index)));
    let (mut steps, mut reached) = (0, BTreeMap::<String, u64>::new());
    for run in runs {
        steps += run.steps;
        run.reached.into_iter().for_each(|(sentence, count)| *reached.entry(sentence).or_insert(0) += count);
    }
    assert_eq!((report.schedules, report.rechecked, report.complete), (RUNS, RUNS, true));
    assert_eq!((report.steps, &report.reached), (steps, &reached));
    let rare = reached["a run is rare"];
    assert!((10..60).contains(&rare), "about half of the runs are rare: {rare}");
    assert_eq!((told.schedules.into_inner(), told.finished.into_inner()), (RUNS, 1));
}

#[test]
fn reference_runs_are_four_and_count_children_with_their_parents() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let case = Case::new(
        name("family"),
        || Just(()),
        |()| {
            RUNS.fetch_add(1, Ordering::SeqCst);
            let child = thread::spawn(|| {
                let grandchild = thread::spawn(|| step(5));
                step(2);
                grandchild.join();
            });
            step(1);
            child.join();
        },
    );
    let profile = case.profile();
    assert_eq!(RUNS.load(Ordering::SeqCst), 4);
    let child = TaskKey::MAIN.child(0);
    let events = [TaskKey::MAIN, child, child.child(0)].map(|key| profile.events[&key]);
    // The grandchild's own steps and its start and end; also the child's two, a spawn and a join.
    let [main, child, grandchild] = events;
    assert_eq!(profile.events.len(), 3);
    assert!((5..=7).contains(&grandchild), "{events:?}");
    assert!((grandchild + 4..=grandchild + 6).contains(&child), "{events:?}");
    assert!((child + 3..=child + 5).contains(&main), "{events:?}");
    assert!(profile.choices > 3 && profile.choices <= main, "{profile:?}");
}

#[test]
fn a_profile_has_the_most_that_any_reference_run_did() {
    let lengths = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = std::sync::Arc::clone(&lengths);
    let case = Case::new(
        name("lengths"),
        || 1..200_usize,
        move |steps: &usize| {
            seen.lock().expect("not poisoned").push(*steps as u32);
            step(*steps);
        },
    );
    let profile = case.profile();
    let lengths = lengths.lock().expect("not poisoned").clone();
    let most = lengths.iter().copied().max().expect("there were runs");
    assert!(lengths.iter().any(|steps| *steps != most), "the runs differ: {lengths:?}");
    let events = profile.events[&TaskKey::MAIN];
    assert!((most..=most + 2).contains(&events), "{most} steps and {events} events");
    assert_eq!(profile.choices, 0, "one task never leaves a choice");
}
