//! Tests of the harness itself: every finding can be repeated, every planted defect is found, and correct code is
//! clean.
//!
//! They use the canaries, which are independent of any component, and the cells of the suite. If one of these tests
//! fails, no verdict of the suite means anything.

use std::collections::BTreeSet;
use std::process::ExitCode;

use lastref::ViolationKind;
use lastref::explore::{Budget, Case, CaseName, Cell, Engine, Report, Verdict, digest, run_one};
use lastref::replay::{Repro, ShrinkLimits, Token, replay_repro, shrink};
use lastref::scenario::{Expect, defaults};
use lastref_tests::canaries::{BROKEN, CANARIES, Canary, SOUND};
use lastref_tests::cells::{self, SuiteCell};
use lastref_tests::environment::is_thorough;
use lastref_tests::search::{hunt, search};
use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::SCENARIOS;

/// Budget of a search; every canary is found in far fewer schedules.
const SCHEDULES: u64 = 300;
/// Runs of each cell in the hunts that differ in their number of jobs: two chunks.
const SCHEDULES_BY_JOBS: u64 = 64;
/// Real threads start slowly, and their runs cannot be repeated.
const SCHEDULES_ON_THREADS: u64 = 20;

fn main() -> ExitCode {
    lastref::explore::serve_child(case);
    let mut trials = vec![
        Trial::test("every_kind_of_violation_has_a_canary", every_kind_has_a_canary),
        Trial::test("the_number_of_jobs_does_not_change_a_hunt", jobs_do_not_matter),
        Trial::test("another_seed_is_another_execution", seeds_matter),
    ];
    for canary in CANARIES {
        trials.push(Trial::test(format!("canary/{}/threads", canary.kind), move || sound_on_threads(&canary)));
        for engine in [Engine::Fiber, Engine::Loom] {
            trials.push(Trial::test(format!("canary/{}/{engine}", canary.kind), move || canary_sings(&canary, engine)));
        }
    }
    for cell in scheduled_cells() {
        let name = cell.name();
        let twin = cell.clone();
        trials.push(Trial::test(format!("twice/{name}"), move || same_twice(&twin)));
        if cell.expectation.expect != Expect::Clean {
            trials.push(Trial::test(format!("replay/{name}"), move || replays(&cell)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn case(name: &CaseName) -> Option<Case> {
    lastref_tests::canaries::case(name).or_else(|| SCENARIOS.case(name))
}

fn scheduled_cells() -> Vec<SuiteCell> {
    cells::all().into_iter().filter(|cell| cell.cell.engine.is_scheduled()).collect()
}

/// The parts of a report that do not depend on the clock.
fn gist(report: &Report) -> String {
    let Report { schedules, steps, trace_hash, complete, reached, .. } = report;
    let found =
        report.failure().map(|failure| (&failure.violation.property, failure.token().to_string(), failure.trace_hash));
    format!("{schedules} schedules, {steps} steps, {trace_hash:x}, {complete}, {reached:?}, {found:?}")
}

fn every_kind_has_a_canary() -> Result<(), Failed> {
    let tripped: BTreeSet<ViolationKind> = CANARIES.iter().map(|canary| canary.kind).collect();
    assert_eq!(tripped, BTreeSet::from(ViolationKind::ALL));
    Ok(())
}

fn canary_sings(canary: &Canary, engine: Engine) -> Result<(), Failed> {
    let explore = |variant: &str| -> Result<Report, Failed> {
        let case = canary.case(variant).ok_or("invariant: a canary has both twins")?;
        let cell = Cell { case, engine, strategy: defaults::STRATEGY, budget: Budget::exactly(SCHEDULES) };
        Ok(search(&cell, defaults::SEED, SCHEDULES))
    };
    let broken = explore(BROKEN)?;
    let failure = broken.failure().ok_or("the broken twin was not found")?;
    assert_eq!(
        (failure.violation.kind, failure.violation.property.as_str()),
        (canary.kind, canary.property),
        "{failure}"
    );
    let sound = explore(SOUND)?;
    assert!(matches!(sound.verdict, Verdict::Clean), "the sound twin has a finding: {}", gist(&sound));
    assert!(sound.schedules > 0 && sound.complete);
    Ok(())
}

/// Real threads need not find the broken twin, but the sound twin must be clean on them too.
fn sound_on_threads(canary: &Canary) -> Result<(), Failed> {
    let case = canary.case(SOUND).ok_or("invariant: a canary has both twins")?;
    let budget = Budget::exactly(SCHEDULES_ON_THREADS);
    let cell = Cell { case, engine: Engine::Threads, strategy: defaults::STRATEGY, budget };
    let report = search(&cell, defaults::SEED, SCHEDULES_ON_THREADS);
    assert!(matches!(report.verdict, Verdict::Clean), "the sound twin has a finding: {}", gist(&report));
    assert_eq!(report.schedules, SCHEDULES_ON_THREADS);
    Ok(())
}

/// Repeats each run under the same engine, or on shuttle's coroutines instead of lastref's fibers.
fn same_twice(cell: &SuiteCell) -> Result<(), Failed> {
    let Cell { case, engine, strategy, .. } = &cell.cell;
    for seed in 0..if is_thorough() { 60 } else { 20 } {
        let again = if seed % 2 == 0 { *engine } else { Engine::Shuttle };
        let run = |engine| digest(case, engine, *strategy, seed);
        assert_eq!(run(*engine), run(again), "seed {seed}, first under {engine}, then {again}");
    }
    let table = |engine| run_one(case, engine, *strategy, 0).full_table;
    assert_eq!(table(*engine), table(Engine::Shuttle));
    Ok(())
}

fn seeds_matter() -> Result<(), Failed> {
    for cell in scheduled_cells() {
        let run = |seed| digest(&cell.cell.case, cell.cell.engine, cell.cell.strategy, seed).trace_hash;
        let hashes: BTreeSet<u64> = (0..20).map(run).collect();
        assert!(hashes.len() > 1, "{}: twenty seeds, one trace", cell.name());
    }
    Ok(())
}

fn jobs_do_not_matter() -> Result<(), Failed> {
    let cells: Vec<Cell> = scheduled_cells().into_iter().map(|cell| cell.cell).collect();
    let schedules = if is_thorough() { 2 * SCHEDULES_BY_JOBS } else { SCHEDULES_BY_JOBS };
    let run = |jobs| -> Vec<String> { hunt(cells.clone(), defaults::SEED, schedules, jobs).iter().map(gist).collect() };
    assert_eq!(run(1), run(4));
    Ok(())
}

/// A finding, its token, its shrunk case and the saved file violate the same property.
fn replays(cell: &SuiteCell) -> Result<(), Failed> {
    let report = search(&cell.cell, defaults::SEED, defaults::SCHEDULES_OF_DEFECT);
    let failure = report.failure().ok_or("the defect was not found")?;
    let case = &cell.cell.case;

    let Token::Seed(origin) = failure.token().to_string().parse()? else {
        return Err("a search finds by a seed".into());
    };
    let again = run_one(case, origin.engine, origin.strategy, origin.seed);
    let again = again.failure().ok_or("the token replays clean")?;
    assert_eq!(again.to_string(), failure.to_string());

    // The snapshots show how far a case shrinks; here it is enough that it becomes a little smaller.
    let runs_max = if is_thorough() { ShrinkLimits::default().runs_max } else { 300 };
    let limits = ShrinkLimits { runs_max, ..ShrinkLimits::default() };
    let shrunk = shrink(case, failure, limits).ok_or("the failure does not replay")?;
    let folder = tempfile::tempdir()?;
    let saved = Repro::load(&shrunk.repro.save(folder.path())?)?;
    let replayed = replay_repro(case, &saved)?;
    let replayed = replayed.failure().ok_or("the saved case replays clean")?;
    assert_eq!(replayed.violation.property, failure.violation.property);
    assert_eq!(Some(replayed.to_string()), shrunk.report.failure().map(ToString::to_string));
    Ok(())
}
