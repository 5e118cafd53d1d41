//! Hunts, replays and shrinking: deterministic, independent of the number of cores, and minimal at the end.

use std::sync::atomic::AtomicBool;

use lastref::explore::{Budget, Cell, Hunt, LoomBudget, Quiet, RECHECK_PERCENT, run_one};
use lastref::ledger::{Owner, Resource};
use lastref::plan::{List, Part};
use lastref::replay::{Repro, ReproError, ShrinkLimits, Token, replay_repro, shrink, shrink_repro};
use lastref::sync::atomic::{AtomicUsize, Ordering};
use lastref::sync::{Arc, Mutex};
use lastref::{Case, CaseName, Engine, Report, StrategyName, Verdict, thread};
use proptest::prelude::*;
use proptest::strategy::Strategy;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Plan {
    workers: usize,
    rounds: Vec<u8>,
    early: bool,
}

lastref::bounds!(Plan { workers: 1..=8, rounds: List(0..=16, 0..=u8::MAX), early: Part });

fn plans() -> impl Strategy<Value = Plan> {
    (1_usize..5, prop::collection::vec(0_u8..4, 1..6), any::<bool>()).prop_map(|(workers, rounds, early)| Plan {
        workers,
        rounds,
        early,
    })
}

/// Workers use a buffer; the body releases it, early if the plan says so.
fn body(plan: &Plan) {
    let owner = Owner::new("main", 0);
    let buffer = Resource::acquire("buffer", owner);
    let lock = Arc::new(Mutex::new(0));
    let workers: Vec<_> = (0..plan.workers)
        .map(|id| {
            let (lock, rounds) = (Arc::clone(&lock), plan.rounds.clone());
            thread::spawn(move || {
                for round in rounds {
                    *lock.lock() += u32::from(round);
                    buffer.touch(Owner::new("worker", id as u32));
                }
            })
        })
        .collect();
    if plan.early && plan.workers >= 2 {
        buffer.release(owner);
    }
    workers.into_iter().for_each(thread::JoinHandle::join);
    if !(plan.early && plan.workers >= 2) {
        buffer.release(owner);
    }
}

fn case(variant: &str) -> Case {
    let name =
        CaseName { component: "test".to_owned(), scenario: "early_release".to_owned(), variant: variant.to_owned() };
    let early_allowed = variant != "fixed";
    Case::new(name, plans, move |plan: &Plan| body(&Plan { early: plan.early && early_allowed, ..plan.clone() }))
}

const ONE: Budget = Budget { enough: 1, most: 1 };

fn hunt(cells: Vec<Cell>, schedules: u64, jobs: usize) -> Vec<Report> {
    let stop = AtomicBool::new(false);
    Hunt {
        cells: cells.into_iter().map(|cell| Cell { budget: Budget::exactly(schedules), ..cell }).collect(),
        seed: 5,
        loom: LoomBudget::at_most(1_000),
        recheck_percent: RECHECK_PERCENT,
        deadline: None,
        jobs,
        stop: &stop,
        observer: &Quiet,
    }
    .run()
}

fn cells() -> Vec<Cell> {
    let of = |variant: &str, strategy| Cell { case: case(variant), engine: Engine::Fiber, strategy, budget: ONE };
    StrategyName::all().flat_map(|strategy| [of("fixed", strategy), of("early", strategy)]).collect()
}

fn summary(report: &Report) -> String {
    let verdict = match &report.verdict {
        Verdict::Clean => "clean".to_owned(),
        Verdict::Violation(failure) => format!("{failure}"),
        Verdict::Diverged { message } | Verdict::Broken { message } | Verdict::Misused { message } => message.clone(),
    };
    format!("{} {} {:#x} {:?} {verdict}", report.schedules, report.steps, report.trace_hash, report.reached)
}

#[test]
fn a_hunt_does_not_depend_on_the_number_of_jobs() {
    let of = |jobs| hunt(cells(), 300, jobs).iter().map(summary).collect::<Vec<_>>();
    let one = of(1);
    assert_eq!(one, of(1));
    assert_eq!(one, of(4));
    assert!(one.iter().step_by(2).all(|clean| clean.starts_with("300 ") && clean.ends_with(" clean")), "{one:#?}");
    assert!(one.iter().skip(1).step_by(2).all(|found| found.contains("is not used after its release")), "{one:#?}");
}

#[test]
fn every_token_of_a_hunt_replays_to_the_same_trace() {
    for report in hunt(cells(), 300, 2) {
        let Some(failure) = report.failure() else { continue };
        let token: Token = failure.token().to_string().parse().expect("a printed token reads back");
        let Token::Seed(origin) = token else { panic!("a hunt's token names a seed") };
        let again = run_one(&case(&origin.case.variant), origin.engine, origin.strategy, origin.seed);
        assert_eq!(again.failure(), Some(failure));
        assert_eq!(again.trace_hash, report.trace_hash);
    }
}

#[test]
fn a_hunt_from_a_failing_seed_begins_with_that_run() {
    let found = hunt(cells(), 300, 1).remove(1);
    let seed = found.failure().expect("the defect is found").origin.seed;
    let stop = AtomicBool::new(false);
    let hunt = Hunt {
        cells: cells().drain(1..2).collect(),
        seed,
        loom: LoomBudget::at_most(1),
        recheck_percent: RECHECK_PERCENT,
        deadline: None,
        jobs: 1,
        stop: &stop,
        observer: &Quiet,
    };
    assert_eq!(hunt.run()[0].failure(), found.failure());
}

#[test]
fn a_stopped_hunt_reports_what_it_has() {
    let stop = AtomicBool::new(true);
    let hunt = Hunt {
        cells: cells(),
        seed: 0,
        loom: LoomBudget::at_most(1),
        recheck_percent: RECHECK_PERCENT,
        deadline: None,
        jobs: 2,
        stop: &stop,
        observer: &Quiet,
    };
    assert!(hunt.run().iter().all(|report| report.schedules == 0 && !report.complete));
}

#[test]
fn a_failure_shrinks_to_the_least_plan_and_the_least_schedule() {
    let case = case("early");
    let report = hunt(cells(), 300, 1).remove(1);
    let failure = report.failure().expect("the defect is found");
    let shrunk = shrink(&case, failure, ShrinkLimits::default()).expect("it violates again");
    let plan: Plan = serde_json::from_value(shrunk.repro.plan.clone()).expect("the plan is of its type");
    assert_eq!(plan, Plan { workers: 2, rounds: vec![0], early: true });
    assert_eq!(shrunk.preemptions, 0, "running each task to its end suffices: {}", shrunk.report.table);
    assert_eq!(shrunk.repro.property, failure.violation.property);
    let again = replay_repro(&case, &shrunk.repro).expect("the plan is of its case");
    assert_eq!(again.trace_hash, shrunk.repro.trace_hash);
    assert_eq!(again.table, shrunk.report.table);
    let further = shrink_repro(&case, &shrunk.repro, ShrinkLimits::default()).expect("the plan is of its case");
    assert_eq!(further.expect("it violates again").preemptions, 0);
}

/// A lost update needs one task to be taken off between its load and its store: a single forced switch.
#[test]
fn a_lost_update_shrinks_to_one_switch() {
    let name =
        CaseName { component: "test".to_owned(), scenario: "lost_update".to_owned(), variant: "fixed".to_owned() };
    let case = Case::new(
        name,
        || Just(()),
        |()| {
            let count = Arc::new(AtomicUsize::new(0));
            let tasks: Vec<_> = (0..3)
                .map(|_| {
                    let count = Arc::clone(&count);
                    thread::spawn(move || count.store(count.load(Ordering::SeqCst) + 1, Ordering::SeqCst))
                })
                .collect();
            tasks.into_iter().for_each(thread::JoinHandle::join);
            lastref::property::always("every update counts", count.load(Ordering::SeqCst) == 3);
        },
    );
    let cell = Cell { case: case.clone(), engine: Engine::Fiber, strategy: StrategyName::RANDOM, budget: ONE };
    let report = hunt(vec![cell], 1_000, 1).remove(0);
    let shrunk = shrink(&case, report.failure().expect("found"), ShrinkLimits::default()).expect("again");
    assert_eq!(shrunk.preemptions, 1, "{}", shrunk.report.full_table);
}

/// No simpler plan violates, and each would be tried with sixty seeds.
#[test]
fn shrinking_stays_within_its_budget_of_runs() {
    let name = CaseName { component: "test".to_owned(), scenario: "large".to_owned(), variant: "fixed".to_owned() };
    let case = Case::new(name, || 0..=2_000_u32, |size: &u32| lastref::property::always("it fits", *size < 1_000));
    let cell = Cell { case: case.clone(), engine: Engine::Fiber, strategy: StrategyName::RANDOM, budget: ONE };
    let report = hunt(vec![cell], 100, 1).remove(0);
    let limits = ShrinkLimits { runs_max: 5, ..ShrinkLimits::default() };
    let shrunk = shrink(&case, report.failure().expect("half of the plans are too large"), limits).expect("again");
    // The last three runs are those of the candidates for the shortest table.
    assert!(shrunk.tried <= limits.runs_max + 3, "{} runs", shrunk.tried);
}

#[test]
fn a_repro_file_reads_back_and_tells_what_is_wrong_with_it() {
    let dir = std::env::temp_dir().join(format!("lastref-repro-{}", std::process::id()));
    let report = hunt(cells(), 300, 1).remove(1);
    let shrunk = shrink(&case("early"), report.failure().expect("found"), ShrinkLimits::default()).expect("again");
    let path = shrunk.repro.save(&dir).expect("the folder can be written");
    assert_eq!(shrunk.repro.save(&dir).expect("the same content again"), path);
    assert_eq!(Repro::load(&path).expect("what was saved"), shrunk.repro);
    assert!(!shrunk.repro.is_edited() && path.ends_with(shrunk.repro.file_name()));
    let mut edited = shrunk.repro.clone();
    edited.seed ^= 1;
    assert!(edited.is_edited() && edited.file_name() != shrunk.repro.file_name());
    let text = std::fs::read_to_string(&path).expect("just written");
    let other = dir.join("other.repro");
    let load = |text: &str| {
        std::fs::write(&other, text).expect("the folder can be written");
        Repro::load(&other).expect_err("not a whole repro file")
    };
    for length in (0..text.trim_end().len()).step_by(7) {
        assert!(matches!(load(&text[..length]), ReproError::Truncated { .. }), "cut at {length}");
    }
    for (version, age) in [(9, "newer"), (1, "older")] {
        let other = load(&text.replacen("\"version\": 4,", &format!("\"version\": {version},"), 1));
        assert!(matches!(other, ReproError::OtherVersion { version: told, .. } if told == version), "{other}");
        assert!(other.to_string().contains(&format!("version {version}, which is {age}")), "{other}");
    }
    assert!(matches!(load("[1, 2]"), ReproError::Foreign { .. }));
    let endless = Repro::load(std::path::Path::new("/dev/zero")).expect_err("it never ends");
    assert!(endless.to_string().contains("not a regular file"), "{endless}");
    assert!(matches!(load("no json"), ReproError::Foreign { .. }));
    assert!(matches!(load(&text.replacen("\"plan\"", "\"plam\"", 1)), ReproError::Foreign { .. }));
    std::fs::write(&path, "something else").expect("the folder can be written");
    assert!(matches!(shrunk.repro.save(&dir), Err(ReproError::Occupied { .. })));
    assert_eq!(std::fs::read_to_string(&path).expect("still there"), "something else");
    std::fs::remove_dir_all(&dir).expect("made here");
}

#[test]
fn loom_explores_the_small_plan_to_the_end() {
    let small = Plan { workers: 2, rounds: vec![1], early: false };
    let of = |variant: &str, plan: Plan| Cell {
        case: case(variant).small(plan),
        engine: Engine::Loom,
        strategy: StrategyName::RANDOM,
        budget: ONE,
    };
    let reports = hunt(vec![of("fixed", small.clone()), of("early", Plan { early: true, ..small })], 1, 2);
    assert!(reports[0].complete && matches!(reports[0].verdict, Verdict::Clean), "{reports:?}");
    assert!(reports[0].schedules > 1);
    assert!(reports[1].failure().is_some(), "{reports:?}");
}

/// A case whose runs go by what ran before them, and what its first violation would be.
fn leaky(leak: impl Fn(u64) + Send + Sync + 'static) -> Case {
    let name = CaseName { component: "test".to_owned(), scenario: "leaky".to_owned(), variant: "fixed".to_owned() };
    let runs = std::sync::atomic::AtomicU64::new(0);
    Case::new(
        name,
        || proptest::strategy::Just(()),
        move |(): &()| {
            leak(runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
        },
    )
}

fn diverged(case: Case, recheck_percent: u8) -> Option<String> {
    let stop = AtomicBool::new(false);
    let budget = Budget::exactly(32);
    let hunt = Hunt {
        cells: vec![Cell { case, engine: Engine::Fiber, strategy: StrategyName::RANDOM, budget }],
        seed: 0,
        loom: LoomBudget::at_most(1),
        recheck_percent,
        deadline: None,
        jobs: 1,
        stop: &stop,
        observer: &Quiet,
    };
    match hunt.run().remove(0).verdict {
        Verdict::Diverged { message } => Some(message),
        _ => None,
    }
}

#[test]
fn a_run_that_goes_by_what_ran_before_it_is_told_by_its_first_event() {
    let of = || {
        leaky(|runs| {
            let counter = AtomicUsize::new(0);
            counter.fetch_add(1, Ordering::Relaxed);
            if runs % 2 == 1 {
                counter.load(Ordering::Relaxed);
            }
        })
    };
    let message = diverged(of(), 100).expect("it depends on the runs before it");
    assert!(message.contains("event ") && message.contains("exploration.rs:"), "{message}");
    let (_, differs) = message.split_once(" differs: `").expect("the event is told");
    let (one, other) = differs.split_once("`, and `").expect("in both versions");
    assert!(!other.starts_with(one), "{message}");
    for cause in ["`select!` without `biased`", "HashMap", "Instant"] {
        assert!(message.contains(cause), "{message}");
    }
    assert_eq!(diverged(of(), 0), None, "nobody has looked");
}

#[test]
fn a_verdict_that_goes_by_what_ran_before_is_told() {
    // The first 40 runs: those of the chunk, and some of those that are made again.
    let case = leaky(|runs| {
        lastref::property::always("the run is not one of the last", runs < 40);
    });
    let message = diverged(case, 100).expect("its verdict changes");
    assert!(message.contains("verdict `clean` first and `the run is not one of the last`"), "{message}");
}

/// The run that is made again violates the same property, by another trace.
#[test]
fn a_finding_that_has_another_trace_when_its_run_is_made_again_is_told() {
    let case = leaky(|runs| {
        let counter = AtomicUsize::new(0);
        (0..=runs).for_each(|_| _ = counter.fetch_add(1, Ordering::Relaxed));
        lastref::property::always("no run is right", false);
    });
    let message = diverged(case, 0).expect("each run is longer than the one before");
    assert!(message.contains(" first and ") && message.contains(" when repeated"), "{message}");
}

#[test]
fn the_steps_of_every_execution_under_loom_are_counted() {
    let small = Plan { workers: 2, rounds: vec![1], early: false };
    let cell =
        Cell { case: case("fixed").small(small), engine: Engine::Loom, strategy: StrategyName::RANDOM, budget: ONE };
    let report = hunt(vec![cell], 1, 1).remove(0);
    assert!(report.steps > report.schedules, "{} steps in {} executions", report.steps, report.schedules);
}

#[test]
fn a_plan_is_checked_against_the_bounds_of_its_case() {
    let check = |workers: u32| {
        case("fixed").check_plan(&serde_json::json!({ "workers": workers, "rounds": [1], "early": true }))
    };
    assert_eq!(check(8), Ok(()));
    let bad = check(9).expect_err("there are 8 at most").to_string();
    assert!(bad.contains("workers"), "{bad}");
}
