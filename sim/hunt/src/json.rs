//! The JSON types that `--json` prints.
//!
//! They are an interface for scripts, so a field is never renamed and never left out (a value that does not apply is
//! null). `seed` is the value for `--seed` that gives the same result again; for a replay it is the execution's own.
//! Seeds and hashes are text in hexadecimal, since most readers of JSON keep 53 bits of a number.

use lastref::ViolationKind;
use lastref::explore::{HitCounts, Preemptions, Verdict};
use lastref::scenario::{Expect, Expectation, Judgement, Scenario};
use serde::Serialize;

use super::outcome::Outcome;
use super::search::Explored;

/// One cell, or one execution of it.
#[derive(Debug, Serialize)]
pub(super) struct Result<'a> {
    scenario: &'a str,
    component: &'a str,
    variant: &'a str,
    engine: String,
    strategy: String,
    seed: String,
    schedules: u64,
    /// The number of runs that were repeated and took the same course.
    rechecked: u64,
    steps: u64,
    /// The verdict; `undecided` is a search without a finding that did not spend its budget.
    verdict: &'static str,
    /// Whether the budget was spent, or, on loom, the whole space explored; false for a search that was stopped.
    complete: bool,
    /// For loom: the bound on preemptions within which every execution was explored, a number or "unbounded"; null if
    /// no bound was completed, and for the other engines.
    preemptions: Option<serde_json::Value>,
    /// Whether `judgement` is `as_expected`.
    expected: bool,
    /// `as_expected`, `not_as_expected` or `undecided`.
    judgement: &'static str,
    kind: Option<ViolationKind>,
    property: Option<&'a str>,
    message: Option<&'a str>,
    /// The rare states that no run reached, if the cell is not as expected because of them.
    never_reached: Vec<&'static str>,
    replay: Option<String>,
    repro: Option<String>,
    trace_hash: String,
    /// The number of runs in which each fault of the network hit a connection in each phase.
    faults: &'a HitCounts,
    seconds: f64,
}

impl<'a> Result<'a> {
    /// The finding, of a search or of a replay.
    pub(super) fn of(outcome: &'a Outcome) -> Result<'a> {
        let cell = &outcome.chosen.cell;
        let name = cell.case.name();
        let failure = outcome.failure();
        let judgement = outcome.judgement();
        Result {
            scenario: &name.scenario,
            component: &name.component,
            variant: &name.variant,
            engine: cell.engine.to_string(),
            strategy: cell.strategy.to_string(),
            seed: hexadecimal(outcome.seed),
            schedules: outcome.report.schedules,
            rechecked: outcome.report.rechecked,
            steps: outcome.report.steps,
            verdict: match &outcome.report.verdict {
                Verdict::Clean if judgement == Judgement::Undecided => "undecided",
                Verdict::Clean => "clean",
                Verdict::Violation(_) => "violation",
                Verdict::Diverged { .. } => "not_deterministic",
                Verdict::Broken { .. } => "broken",
                Verdict::Misused { .. } => "misused",
            },
            complete: outcome.report.complete,
            preemptions: outcome.report.preemptions.map(|bound| match bound {
                Preemptions::AtMost(most) => most.into(),
                Preemptions::Unbounded => "unbounded".into(),
            }),
            expected: judgement == Judgement::AsExpected,
            judgement: judgement.name(),
            kind: failure.map(|failure| failure.violation.kind),
            property: failure.map(|failure| failure.violation.property.as_str()),
            message: failure.map(|failure| failure.violation.message.as_str()),
            never_reached: outcome.never_reached(),
            replay: outcome.token(),
            repro: outcome.repro.as_ref().map(|path| path.display().to_string()),
            trace_hash: hexadecimal(outcome.report.trace_hash),
            faults: &outcome.report.faults,
            seconds: outcome.report.seconds,
        }
    }
}

#[derive(Debug, Serialize)]
struct Hunted<'a> {
    results: Vec<Result<'a>>,
    as_expected: bool,
    /// Whether a signal ended it.
    stopped: bool,
    /// The number of undecided results.
    undecided: usize,
    schedules: u64,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Listed {
    scenario: &'static str,
    component: &'static str,
    about: &'static str,
    upstream: &'static str,
    engines: Vec<String>,
    variants: Vec<ListedVariant>,
}

#[derive(Debug, Serialize)]
struct ListedVariant {
    variant: &'static str,
    expect: &'static str,
    property: Option<&'static str>,
}

/// The output of `hunt`.
pub(super) fn hunt(explored: &Explored) -> String {
    line(&Hunted {
        results: explored.outcomes.iter().map(Result::of).collect(),
        as_expected: explored.count(Judgement::AsExpected) == explored.outcomes.len(),
        stopped: explored.stopped.is_some(),
        undecided: explored.count(Judgement::Undecided),
        schedules: explored.schedules(),
        seconds: explored.seconds,
    })
}

/// The output of `list`.
pub(super) fn list(scenarios: &[Scenario]) -> String {
    line(&scenarios.iter().map(Listed::of).collect::<Vec<_>>())
}

/// A value as one line of JSON.
pub(super) fn line(value: &impl Serialize) -> String {
    // Numbers, text and lists of them: every key is text, so this cannot fail.
    let text = serde_json::to_string(value).expect("invariant: plain data is JSON");
    text + "\n"
}

impl Listed {
    fn of(scenario: &Scenario) -> Listed {
        Listed {
            scenario: scenario.name(),
            component: scenario.component(),
            about: scenario.about(),
            upstream: scenario.upstream(),
            engines: scenario.engines().iter().map(ToString::to_string).collect(),
            variants: scenario.expectations().iter().map(ListedVariant::of).collect(),
        }
    }
}

impl ListedVariant {
    fn of(said: &Expectation) -> ListedVariant {
        let (expect, property) = match said.expect {
            Expect::Clean => ("clean", None),
            Expect::Violation { property } => ("violation", Some(property)),
        };
        ListedVariant { variant: said.variant, expect, property }
    }
}

fn hexadecimal(number: u64) -> String {
    format!("{number:#018x}")
}
