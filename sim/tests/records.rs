//! What a run is recorded by: its draws, its hash, and the operations of real threads.

use std::collections::BTreeSet;

use lastref::explore::{run_one, transitions};
use lastref::property::always;
use lastref::replay::{ShrinkLimits, shrink};
use lastref::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use lastref::sync::{Arc, Mutex};
use lastref::{Case, CaseName, Engine, Report, StrategyName, random, thread};
use proptest::strategy::Just;

fn case(body: impl Fn() + Send + Sync + 'static) -> Case {
    let name = CaseName { component: "test".to_owned(), scenario: "record".to_owned(), variant: "fixed".to_owned() };
    Case::new(name, || Just(()), move |()| body())
}

fn run(engine: Engine, seed: u64, body: impl Fn() + Send + Sync + 'static) -> Report {
    run_one(&case(body), engine, StrategyName::RANDOM, seed)
}

/// What main and two children draw in the run of this seed.
fn draws(seed: u64) -> Vec<u64> {
    let drawn = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let store = std::sync::Arc::clone(&drawn);
    run(Engine::Fiber, seed, move || {
        let draw = || (0..500).map(|_| random::u64()).collect::<Vec<u64>>();
        let children: Vec<_> = (0..2).map(|_| thread::spawn(draw)).collect();
        let mut all = draw();
        children.into_iter().for_each(|child| all.extend(child.join()));
        *store.lock().expect("not poisoned") = all;
    });
    drawn.lock().expect("not poisoned").clone()
}

#[test]
fn no_two_draws_of_a_run_are_the_same_number() {
    let one = draws(7);
    assert_eq!(one.iter().collect::<BTreeSet<_>>().len(), 1_500, "a task's draws, and those of three tasks, differ");
    assert_eq!(one, draws(7));
    let other = draws(8);
    assert!(one.iter().all(|draw| !other.contains(draw)), "another seed has other draws");
}

#[test]
fn a_chance_and_a_bound_are_what_they_say() {
    let report = run(Engine::Fiber, 1, || {
        let hits = (0..2_000).filter(|_| random::chance(1, 4)).count();
        always("a quarter of the draws hit", (400..600).contains(&hits));
        always("a sure chance hits, one of none does not", random::chance(1, 1) && !random::chance(0, 1));
        let below: BTreeSet<u64> = (0..200).map(|_| random::below(5)).collect();
        always("every number below the bound is drawn, and none above", below == BTreeSet::from([0, 1, 2, 3, 4]));
        always("nothing is below nothing", random::below(0) == 0);
    });
    assert!(report.failure().is_none(), "{report:?}");
}

/// A run that ends with this sentence, always at the same place.
fn ends_with(sentence: &'static str) -> Report {
    run(Engine::Fiber, 1, move || always(sentence, sentence == "all is well"))
}

#[test]
fn the_hash_of_a_run_says_what_it_came_to() {
    let hashes = ["all is well", "one thing is wrong", "another is"].map(|sentence| ends_with(sentence).trace_hash);
    assert_eq!(hashes.iter().collect::<BTreeSet<_>>().len(), 3, "{hashes:?}");
    assert_eq!(ends_with("another is").trace_hash, hashes[2]);
}

#[test]
fn the_transitions_of_a_run_are_the_state_changes_that_its_model_recorded() {
    let case = case(|| {
        lastref::trace::transition("pipe", 0, "Idle", "Busy");
        lastref::note!("the pipe is busy");
        lastref::trace::transition("pipe", 1, "Idle", "Busy");
        lastref::trace::transition("pipe", 0, "Busy", "Idle");
    });
    let expected = ["pipe Busy -> Idle", "pipe Idle -> Busy"].map(str::to_owned);
    assert_eq!(transitions(&case, StrategyName::RANDOM, 1), BTreeSet::from(expected));
}

#[test]
fn real_threads_record_each_operation_with_its_task_its_step_and_its_time() {
    let report = run(Engine::Threads, 1, || {
        let lock = Arc::new(Mutex::named("box", 0));
        let count = AtomicUsize::named("count", 0);
        let child = {
            let lock = Arc::clone(&lock);
            thread::Builder::new().name("child").spawn(move || *lock.lock() += 1)
        };
        child.join();
        lastref::time::sleep(lastref::time::Duration::from_millis(1));
        count.store(*lock.lock(), Ordering::SeqCst);
    });
    assert!(report.failure().is_none(), "{report:?}");
    let rows: Vec<&str> = report.full_table.lines().filter(|row| row.contains("sim/tests/records.rs:")).collect();
    let place = |words: &str| {
        rows.iter().position(|row| row.contains(words)).unwrap_or_else(|| panic!("no `{words}` in {rows:#?}"))
    };
    assert!(place("lock box#0") < place("unlock box#0") && place("unlock box#0") < place("store count#0"));
    let steps: Vec<u64> = rows.iter().filter_map(|row| row.split('|').nth(2)?.trim().parse().ok()).collect();
    assert!(steps.is_sorted() && steps.len() == rows.len(), "{rows:#?}");
    // Clones, locks, a join, a sleep and a store, and the operations that give them back: each is a step.
    assert!(report.steps >= 9, "{}", report.full_table);
    assert!(steps.last() <= Some(&report.steps), "{}", report.full_table);
    let time = |row: &str| row.split('|').nth(1).unwrap_or_default().trim().to_owned();
    assert_ne!(time(rows[place("store count#0")]), "0", "a millisecond has passed: {rows:#?}");
}

#[test]
fn the_table_of_a_long_run_leaves_out_its_middle_and_says_so() {
    let report = run(Engine::Fiber, 1, || {
        for nth in 0..3_000 {
            lastref::note!("note {nth} of many");
        }
    });
    let rows = |table: &str| table.lines().filter(|row| row.contains("of many")).count();
    // It also has rows for the task's begin and end.
    let full = &report.full_table;
    assert!((990..=1_000).contains(&rows(full)), "{full}");
    for kept in ["note 0 of many", "note 190 of many", "note 2210 of many", "note 2999 of many"] {
        assert!(full.contains(kept), "{kept} is not in\n{full}");
    }
    assert!(!full.contains("note 200 of many") && !full.contains("note 2190 of many"), "{full}");
    assert_eq!(full.lines().filter(|row| row.starts_with("| ...")).count(), 1, "{full}");
    assert!(full.contains("rows are left out"), "{full}");
    // The ends of a clean run, and how many rows are between them.
    let table = &report.table;
    assert_eq!(rows(table), 24, "{table}");
    assert!(table.contains("note 0 of many") && table.contains("note 2999 of many"), "{table}");
    assert!(table.contains("| 2976 rows |"), "{table}");
    let short = run(Engine::Fiber, 1, || lastref::note!("one of many"));
    assert!(!short.full_table.contains("left out") && !short.table.contains("rows |"), "{}", short.table);
}

/// The finding's object, from its first row on, with what shares a row with it; the setup before it is counted, and the
/// switch that the schedule forces is marked.
#[test]
fn the_table_of_a_finding_has_the_rows_that_led_to_it() {
    let case = case(|| {
        for nth in 0..40 {
            lastref::note!("setup {nth}");
        }
        let flag = Arc::new(AtomicU64::new(0));
        let other = Arc::clone(&flag);
        lastref::note!("thing#1 is made by owner#7");
        let task = thread::spawn(move || {
            lastref::note!("owner#7 leaves");
            other.store(1, Ordering::SeqCst);
        });
        assert_eq!(flag.load(Ordering::SeqCst), 0, "thing#1 is gone");
        task.join();
    });
    let mut reports = (0..100).map(|seed| run_one(&case, Engine::Fiber, StrategyName::RANDOM, seed));
    let report = reports.find(|report| report.failure().is_some()).expect("the store may come first");
    let shrunk = shrink(&case, report.failure().expect("it failed"), ShrinkLimits::default());
    let shrunk = shrunk.expect("it replays").report;
    let table = &shrunk.failure().expect("it fails").table;
    let rows: Vec<&str> = table.lines().filter(|row| row.starts_with('|')).skip(1).collect();
    assert!(rows[0].contains("40 rows") && rows[1].contains("thing#1 is made"), "{table}");
    assert!(rows[2].starts_with("| > |") && rows[2].contains("owner#7 leaves"), "{table}");
    assert!(!table.contains("setup") && table.contains("(>: the schedule forces a switch to this task)"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
}
