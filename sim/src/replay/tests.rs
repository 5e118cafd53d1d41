//! Shrinking keeps to its budget, and finds the single switch that replaces two elsewhere.

use kernel::record::{TaskKey, Violation};
use kernel::strategy::{StrategyName, Switch};
use proptest::strategy::Just;

use super::repro::Saved;
use super::{Repro, ShrinkLimits, replay_repro, shrink, shrink_repro};
use crate::engine::Engine;
use crate::explore::{Case, CaseName, Origin, run_one};
use crate::property::always;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::thread;

fn name(scenario: &str) -> CaseName {
    CaseName { component: "test".to_owned(), scenario: scenario.to_owned(), variant: "fixed".to_owned() }
}

/// The second task checks before the first has set everything up.
fn unready() -> Case {
    Case::new(
        name("unready"),
        || Just(()),
        |()| {
            let ready = Arc::new(AtomicBool::new(false));
            let idle = thread::spawn(|| {
                let own = AtomicUsize::new(0);
                (0..3).for_each(|_| own.store(1, Ordering::SeqCst));
            });
            let looks = {
                let ready = Arc::clone(&ready);
                thread::spawn(move || always("it is ready", ready.load(Ordering::SeqCst)))
            };
            ready.store(true, Ordering::SeqCst);
            idle.join();
            looks.join();
        },
    )
}

fn repro(switches: Vec<Switch>) -> Repro {
    let origin = Origin { case: name("unready"), engine: Engine::Fiber, strategy: StrategyName::RANDOM, seed: 1 };
    let violation = Violation::of_property("it is ready", String::new());
    let (plan, violation) = (serde_json::Value::Null, &violation);
    Repro::new(Saved { origin: &origin, violation, plan, seed: 1, switches, trace_hash: 0 })
}

/// Main is preempted by an unrelated task, and that task at once by the one that checks. Without the first switch
/// nothing happens; without the second main is ready before the check.
fn detours() -> Vec<Repro> {
    let (main, idle, looks) = (TaskKey::MAIN, TaskKey::MAIN.child(0), TaskKey::MAIN.child(1));
    let detour = |turn, then| {
        let switches = [Switch { from: main, turn, to: idle }, Switch { from: idle, turn: then, to: looks }];
        repro(switches.to_vec())
    };
    let all = (0..8).flat_map(|turn| (0..4).map(move |then| detour(turn, then)));
    let fails = |repro: &Repro| replay_repro(&unready(), repro).is_ok_and(|report| report.failure().is_some());
    all.filter(fails).collect()
}

#[test]
fn one_switch_is_found_that_does_what_two_elsewhere_do() {
    let detours = detours();
    assert!(!detours.is_empty(), "some turn of main's comes between the last spawn and the store");
    for repro in detours {
        for kept in &repro.switches {
            let one = self::repro(vec![*kept]);
            let report = replay_repro(&unready(), &one).expect("the plan is of its case");
            assert!(report.failure().is_none(), "both are needed: {one:?}");
        }
        let shrunk = shrink_repro(&unready(), &repro, ShrinkLimits::default()).expect("the plan is of its case");
        let shrunk = shrunk.expect("it violates again");
        assert_eq!(shrunk.preemptions, 1, "{}", shrunk.report.full_table);
        assert_eq!(shrunk.repro.switches[0].to, TaskKey::MAIN.child(1));
    }
}

/// Runs that shrinking makes within these limits, of a failure that has plans, schedules and single switches to try.
fn tried(limits: ShrinkLimits) -> u32 {
    let case = Case::new(
        name("budget"),
        || 1..400_usize,
        |steps: &usize| {
            let count = Arc::new(AtomicUsize::new(0));
            let tasks: Vec<_> = (0..3)
                .map(|_| {
                    let (count, steps) = (Arc::clone(&count), *steps);
                    thread::spawn(move || {
                        for _ in 0..steps {
                            count.store(count.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
                        }
                    })
                })
                .collect();
            tasks.into_iter().for_each(thread::JoinHandle::join);
            always("every update counts", count.load(Ordering::SeqCst) == 3 * steps);
        },
    );
    let run = |seed| run_one(&case, Engine::Fiber, StrategyName::RANDOM, seed).failure().cloned();
    let failure = (0..20).find_map(run).expect("updates are lost");
    shrink(&case, &failure, limits).expect("it violates again").tried
}

#[test]
fn shrinking_ends_with_its_budget_of_runs_or_of_steps() {
    // The budget is checked before each run, and the last three runs are always made.
    let whole = tried(ShrinkLimits::default());
    assert!(whole > 30, "there is enough to try: {whole}");
    let by_runs = tried(ShrinkLimits { runs_max: 10, ..ShrinkLimits::default() });
    assert!((10..=15).contains(&by_runs), "{by_runs}");
    let by_steps = tried(ShrinkLimits { steps_max: 1, ..ShrinkLimits::default() });
    assert!(by_steps <= 5, "the first run is more than a step: {by_steps}");
}

/// Its schedule is not the kernel's, so a run of the kernel's with the same violation would be another one.
#[test]
fn a_finding_of_loom_is_not_shrunk() {
    let mut failing = (0..).filter_map(|seed| {
        let report = run_one(&unready(), Engine::Fiber, StrategyName::RANDOM, seed);
        report.failure().cloned()
    });
    let mut failure = failing.next().expect("some seed fails");
    assert!(shrink(&unready(), &failure, ShrinkLimits::default()).is_some());
    failure.origin.engine = Engine::Loom;
    assert!(shrink(&unready(), &failure, ShrinkLimits::default()).is_none());
}
