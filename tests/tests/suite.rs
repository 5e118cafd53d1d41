//! The suite: one test per scenario, variant and engine, named `component/scenario/variant/engine`.
//!
//! A test first replays the committed tokens of its cell (`regressions.txt`), then searches with a hunt's budget, or a
//! part of it for a clean variant unless `LASTREF_THOROUGH` is set. It fails if the verdict is not the scenario's, if
//! the search was too narrow to decide, or if a clean variant never reached a rare state that its scenario names. The
//! last is checked only with the whole budget of a hunt, as with `LASTREF_THOROUGH`. A failing test prints the failure
//! as `lastref` does, and a command line that fails in the same way. With `LASTREF_SEED` alone a test is one execution;
//! `LASTREF_SCHEDULES` sets the size of the search.

use std::process::{Command, ExitCode, Output};

use lastref::explore::{Cell, Engine, Origin, Report, Verdict, run_one};
use lastref::replay::{ShrinkLimits, Token, shrink};
use lastref::scenario::{Expect, Judgement, defaults, finding};
use lastref_tests::canaries::CANARIES;
use lastref_tests::cells::{self, SuiteCell};
use lastref_tests::environment::{CANARY, SuiteSettings, has_canary, is_thorough};
use lastref_tests::search::{search, search_within_budget};
use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::SCENARIOS;

const REGRESSIONS: &str = include_str!("../regressions.txt");

/// Schedules for the cell of a clean variant, unless the run is thorough.
const SCHEDULES_QUICK: u64 = defaults::SCHEDULES / 4;
/// Executions of loom for the cell of a clean variant, unless the run is thorough: most of the small plans are explored
/// completely, and the larger ones no longer take two thirds of the suite's time.
const EXECUTIONS_QUICK: u64 = 4_000;

fn main() -> ExitCode {
    lastref::explore::serve_child(|name| SCENARIOS.case(name));
    let (knobs, regressions) = match (SuiteSettings::of_environment(), regressions()) {
        (Ok(knobs), Ok(regressions)) => (knobs, regressions),
        (Err(error), _) => return refuse(&error.to_string()),
        (_, Err(error)) => return refuse(&error),
    };
    let mut cells = cells::all();
    if has_canary() {
        cells.push(cells::canary());
    }
    if let Some(stray) = regressions.iter().find(|origin| !cells.iter().any(|cell| is_of(origin, cell))) {
        return refuse(&format!("regressions.txt: no test is of {}", Token::new(stray.clone())));
    }
    let trials = cells.into_iter().map(|cell| {
        let origins: Vec<Origin> = regressions.iter().filter(|origin| is_of(origin, &cell)).cloned().collect();
        let name = cell.name();
        Trial::test(name.clone(), move || {
            let line = |again: SuiteSettings| again.line("suite", &name, default_of(&cell));
            check(&cell, knobs, &origins).map_err(|bad| format!("{}\n{}", bad.text, line(bad.again)).into())
        })
    });
    let own = [
        Trial::test("canary/fails_and_the_line_that_it_prints_fails_the_same_way", canary_fails),
        Trial::test("knobs/zero_schedules_are_refused", zero_schedules_are_refused),
        Trial::test("knobs/a_search_that_is_too_narrow_to_decide_fails", narrow_search_fails),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials.chain(own).collect()).exit_code()
}

fn refuse(sentence: &str) -> ExitCode {
    eprintln!("suite: {sentence}");
    ExitCode::from(2)
}

/// The executions of the committed tokens: one per line; lines that begin with `#` say what was found.
fn regressions() -> Result<Vec<Origin>, String> {
    let lines = REGRESSIONS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let origin = |line: &str| match line.parse() {
        Ok(Token::Seed(origin)) => Ok(origin),
        Ok(Token::Repro { .. }) => Err(format!("regressions.txt: `{line}` is of a saved case; a seed is wanted")),
        Err(error) => Err(format!("regressions.txt: {error}")),
    };
    lines.map(origin).collect()
}

fn is_of(origin: &Origin, cell: &SuiteCell) -> bool {
    origin.case == *cell.cell.case.name() && origin.engine == cell.cell.engine
}

/// An unexpected verdict, and the settings that reproduce it.
struct Bad {
    text: String,
    again: SuiteSettings,
}

fn check(cell: &SuiteCell, knobs: SuiteSettings, regressions: &[Origin]) -> Result<(), Bad> {
    match knobs {
        SuiteSettings::Once { seed } => {
            let origin = Origin {
                case: cell.cell.case.name().clone(),
                engine: cell.cell.engine,
                strategy: cell.cell.strategy,
                seed,
            };
            once(cell, &origin)
        }
        SuiteSettings::Search { seed, schedules } => {
            regressions.iter().try_for_each(|origin| once(cell, origin))?;
            // loom proves something only if its exploration is complete, so the setting does not narrow it.
            let asked = schedules.filter(|_| !cell.cell.engine.is_exhaustive()).unwrap_or(default_of(cell));
            let budget = cell.expectation.budget(cell.cell.engine, Some(asked));
            let within = Cell { budget, ..cell.cell.clone() };
            judge(cell, &within, &search_within_budget(&within, seed), knobs)
        }
    }
}

/// The schedules of a cell if the environment does not say.
fn default_of(cell: &SuiteCell) -> u64 {
    let most = cell.cell.budget.most;
    let quick = if cell.cell.engine.is_exhaustive() { EXECUTIONS_QUICK } else { SCHEDULES_QUICK };
    if cell.expectation.expect == Expect::Clean && !is_thorough() { most.min(quick) } else { most }
}

fn once(cell: &SuiteCell, origin: &Origin) -> Result<(), Bad> {
    let report = run_one(&cell.cell.case, origin.engine, origin.strategy, origin.seed);
    judge(cell, &cell.cell, &report, SuiteSettings::Once { seed: origin.seed })
}

/// `searched` is the suite's cell with the budget that its search had.
fn judge(cell: &SuiteCell, searched: &Cell, report: &Report, knobs: SuiteSettings) -> Result<(), Bad> {
    let judgement = cell.expectation.judge(searched, report);
    if judgement == Judgement::AsExpected {
        return Ok(());
    }
    let expected = match cell.expectation.expect {
        Expect::Clean => String::from("expected: clean"),
        Expect::Violation { property } => format!("expected: a violation of `{property}`"),
    };
    let schedules = report.schedules;
    let (found, again) = match &report.verdict {
        Verdict::Violation(failure) => {
            let shortest = shrink(&searched.case, failure, ShrinkLimits::default()).map(|shrunk| shrunk.report.table);
            (finding::text("lastref", failure, shortest.as_deref()), SuiteSettings::Once { seed: failure.origin.seed })
        }
        Verdict::Diverged { message } => (format!("not deterministic: {message}"), knobs),
        Verdict::Broken { message } | Verdict::Misused { message } => (message.clone(), knobs),
        Verdict::Clean if judgement == Judgement::Undecided => {
            let enough = searched.budget.enough;
            (format!("undecided: found nothing so far, schedules: {schedules} of {enough}"), knobs)
        }
        Verdict::Clean => match &cell.expectation.never_reached(searched.engine, report)[..] {
            [] => (format!("found: nothing, schedules: {schedules}"), knobs),
            missing => (format!("never reached, schedules: {schedules}: {}", missing.join("; ")), knobs),
        },
    };
    Err(Bad { text: format!("{expected}\n{found}"), again })
}

/// Runs this suite with the canary: the canary's test fails, and the command line that it prints fails with the same
/// text.
fn canary_fails() -> Result<(), Failed> {
    let name = cells::canary().name();
    let first = told_by_canary(&["--exact", &name], &[])?;
    let line = first.lines().last().ok_or("the canary says nothing")?;
    let (knobs, command) = line.split_once(" cargo test ").ok_or("the last line is no command")?;
    let (_, arguments) = command.split_once(" -- ").ok_or("the line has no arguments")?;
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let knobs: Vec<(&str, &str)> = knobs.split(' ').filter_map(|knob| knob.split_once('=')).collect();
    assert!(first.contains(CANARIES[0].property) && knobs.iter().any(|(knob, _)| *knob == "LASTREF_SEED"), "{first}");
    assert_eq!(told_by_canary(&arguments, &knobs)?, first);
    Ok(())
}

/// A search of zero schedules would be clean, so the suite refuses it and runs nothing.
fn zero_schedules_are_refused() -> Result<(), Failed> {
    let output = this_suite(&[], &[("LASTREF_SCHEDULES", "0")])?;
    let stderr = String::from_utf8(output.stderr)?;
    assert_eq!((output.status.code(), String::from_utf8(output.stdout)?.as_str()), (Some(2), ""), "{stderr}");
    assert!(stderr.contains("LASTREF_SCHEDULES is `0`"), "{stderr}");
    Ok(())
}

/// One schedule does not show a defect that needs a certain order of two threads. A search that misses it is undecided,
/// and then the test fails.
fn narrow_search_fails() -> Result<(), Failed> {
    let hidden = |cell: &SuiteCell| {
        let is_defect = cell.cell.engine == Engine::Fiber && cell.expectation.expect != Expect::Clean;
        is_defect && search(&cell.cell, defaults::SEED, 1).failure().is_none()
    };
    let cell = cells::all().into_iter().find(hidden).ok_or("one schedule shows every defect")?;
    let output = this_suite(&["--exact", &cell.name()], &[("LASTREF_SCHEDULES", "1")])?;
    let stdout = String::from_utf8(output.stdout)?;
    assert!(!output.status.success() && stdout.contains("undecided: "), "{stdout}");
    Ok(())
}

/// This suite in a process of its own.
fn this_suite(arguments: &[&str], knobs: &[(&str, &str)]) -> std::io::Result<Output> {
    let mut suite = Command::new(std::env::current_exe()?);
    suite.env_remove("LASTREF_SEED").env_remove("LASTREF_SCHEDULES");
    suite.args(arguments).envs(knobs.iter().copied()).output()
}

/// What the canary's test prints when it fails, up to its last line.
fn told_by_canary(arguments: &[&str], knobs: &[(&str, &str)]) -> Result<String, Failed> {
    let output = this_suite(arguments, &[knobs, &[(CANARY, "1")]].concat())?;
    let stdout = String::from_utf8(output.stdout)?;
    if output.status.success() {
        return Err(format!("the suite passed with the canary in it\n{stdout}").into());
    }
    let told = stdout.split_once("---- ").and_then(|(_, told)| told.split_once("\n\n\nfailures:"));
    let (told, _) = told.ok_or_else(|| format!("no failure was printed\n{stdout}"))?;
    Ok(told.trim_end().to_owned())
}
