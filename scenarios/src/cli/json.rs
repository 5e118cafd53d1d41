//! The shapes that `--json` prints.
//!
//! They are an interface: scripts read them, so a field is never renamed and never left out (what does not apply is
//! null). `seed` is what `--seed` takes to get the same result again; of a replay it is the execution's own. Seeds and
//! hashes are text in hexadecimal, since most readers of JSON keep 53 bits of a number.

use scenarios::{Expect, Expectation, Judgement, Scenario};
use serde::Serialize;
use sim::ViolationKind;
use sim::explore::{Preemptions, Verdict};
use sim::net::HitCounts;

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
    /// How many of them were made again, and went the same way.
    rechecked: u64,
    steps: u64,
    /// What was found; `undecided` is a search that found nothing and did not spend its budget.
    verdict: &'static str,
    /// Whether the budget was spent, or, on loom, the whole space explored; of a search that was stopped it was not.
    complete: bool,
    /// Of loom: within which bound on preemptions every execution was explored, a number or "unbounded"; null if within
    /// none, and of the other engines.
    preemptions: Option<serde_json::Value>,
    /// Whether `judgement` is `as_expected`.
    expected: bool,
    /// `as_expected`, `not_as_expected` or `undecided`.
    judgement: &'static str,
    kind: Option<ViolationKind>,
    property: Option<&'a str>,
    message: Option<&'a str>,
    /// The rare states that no run reached, if that is why the cell is not as expected.
    never_reached: Vec<&'static str>,
    replay: Option<&'a str>,
    repro: Option<String>,
    trace_hash: String,
    /// In how many of its runs each fault of the network hit a connection in each phase.
    faults: &'a HitCounts,
    seconds: f64,
}

impl<'a> Result<'a> {
    /// As found by a search, or by a replay.
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
            kind: failure.map(|failure| failure.kind),
            property: failure.map(|failure| failure.property.as_str()),
            message: failure.map(|failure| failure.message.as_str()),
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
    /// How many of the results are undecided.
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

/// What `hunt` prints.
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

/// What `list` prints.
pub(super) fn list(scenarios: &[Scenario]) -> String {
    line(&scenarios.iter().map(Listed::of).collect::<Vec<_>>())
}

/// One value on one line.
pub(super) fn line(value: &impl Serialize) -> String {
    // Numbers, text and lists of them: there is no key that is not text, and nothing that can refuse.
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
