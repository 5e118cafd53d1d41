//! One exact run: of a seed, or of a given plan and schedule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kernel::record::{HitCounts, Hits, Item, Keep};
use kernel::strategy::StrategyName;

use super::case::Case;
use super::isolate::LoomBudget;
use super::report::{Origin, Report, Verdict, tables};
use super::runs::Runs;
use super::{hunt, isolate};
use crate::engine::{Arm, Engine, threads};
use crate::session::Outcome;

/// Makes the run of `seed`, recorded: the same execution each time.
///
/// Under loom it explores until the first finding, which comes at the same execution each time. Under `threads` it is a
/// run of the same plan; what the operating system does is not repeated.
pub fn run_one(case: &Case, engine: Engine, strategy: StrategyName, seed: u64) -> Report {
    let origin = Origin { case: case.name().clone(), engine, strategy, seed };
    let (report, seconds) = hunt::timed(|| match engine.arm() {
        _ if !engine.is_built() => Report::not_built(engine),
        Arm::Sched => report_of(origin, &Runs::new(case, engine, strategy).make(seed, Keep::Events).outcome),
        Arm::Threads | Arm::Std => {
            let plan = case.generator().plan(seed);
            report_of(origin, &threads::run_once(seed, Keep::Events, Arc::new(case.body(plan))))
        }
        Arm::Loom => isolate::explore_loom(case, &origin, LoomBudget::UNBOUNDED, &|| false),
    });
    Report { seconds, ..report }
}

/// What tells one execution from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The hash of the trace.
    pub trace_hash: u64,
    /// How many steps it had.
    pub steps: u32,
    /// The rare states that it reached.
    pub reached: BTreeSet<&'static str>,
    /// The property that it violated.
    pub property: Option<String>,
}

/// Makes the run of `seed` under `engine`, a scheduled one, without recording it.
pub fn digest(case: &Case, engine: Engine, strategy: StrategyName, seed: u64) -> Digest {
    let outcome = Runs::new(case, engine, strategy).make(seed, Keep::Hash).outcome;
    Digest {
        trace_hash: outcome.trace.hash(),
        steps: outcome.steps,
        reached: outcome.reached.into_keys().collect(),
        property: outcome.violation.map(|violation| violation.property),
    }
}

/// The state changes that the model reported in the run of `seed`, each as `machine from -> to`.
///
/// Many runs together pin the state machines of a model, regardless of the object and the time.
pub fn transitions(case: &Case, strategy: StrategyName, seed: u64) -> BTreeSet<String> {
    let ended = Runs::new(case, Engine::Fiber, strategy).make(seed, Keep::Events);
    let items = ended.outcome.trace.events.iter().map(|event| &event.item);
    items
        .filter_map(|item| match item {
            Item::Transition { machine, from, to, .. } => Some(format!("{machine} {from} -> {to}")),
            _ => None,
        })
        .collect()
}

pub(crate) fn report_of(origin: Origin, outcome: &Outcome) -> Report {
    let (table, full_table) = tables(outcome);
    Report {
        schedules: 1,
        preemptions: None,
        rechecked: 0,
        steps: u64::from(outcome.steps),
        verdict: Verdict::of(origin, outcome),
        trace_hash: outcome.trace.hash(),
        complete: true,
        reached: words(&outcome.reached),
        faults: counts(&outcome.faults),
        seconds: 0.0,
        table,
        full_table,
    }
}

fn counts(hits: &Hits) -> HitCounts {
    let mut counts = HitCounts::new();
    hits.count(&mut counts);
    counts
}

pub(crate) fn words(reached: &BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    reached.iter().map(|(sentence, count)| ((*sentence).to_owned(), *count)).collect()
}

/// How much [`drive`] keeps of its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// The hash of each trace, as in a hunt.
    Hash,
    /// Every event, as in a replay.
    Events,
}

/// Makes `runs` runs under a scheduled `engine` without verdicts, and returns their steps, for benchmarks.
pub fn drive(case: &Case, engine: Engine, strategy: StrategyName, runs: u64, recording: Recording) -> u64 {
    let keep = match recording {
        Recording::Hash => Keep::Hash,
        Recording::Events => Keep::Events,
    };
    let mut made = Runs::new(case, engine, strategy);
    (0..runs).rev().map(|seed| u64::from(made.make(seed, keep).outcome.steps)).sum()
}
