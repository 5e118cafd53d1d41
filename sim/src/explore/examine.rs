//! Runs of a scheduled engine without a verdict, for tests and benchmarks that look at the runs themselves.

use std::collections::BTreeSet;

use kernel::record::{Item, Keep};
use kernel::strategy::StrategyName;

use super::case::Case;
use super::runs::{run_of, runs};
use crate::engine::Engine;

/// The values that distinguish one execution from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The hash of the trace.
    pub trace_hash: u64,
    /// The number of its steps.
    pub steps: u32,
    /// The rare states that it reached.
    pub reached: BTreeSet<&'static str>,
    /// The property that it violated.
    pub property: Option<String>,
}

/// Executes the run of `seed` under a scheduled `engine`, without recording it.
pub fn digest(case: &Case, engine: Engine, strategy: StrategyName, seed: u64) -> Digest {
    let outcome = run_of(case, engine, strategy, seed, Keep::Hash);
    Digest {
        trace_hash: outcome.trace.hash(),
        steps: outcome.steps,
        reached: outcome.reached.keys().copied().collect(),
        property: outcome.into_log().violation.map(|violation| violation.property),
    }
}

/// The state changes that the model reported in the run of `seed`, each as `machine from -> to`.
///
/// Many runs together pin the state machines of a model, regardless of the object and the time.
pub fn transitions(case: &Case, strategy: StrategyName, seed: u64) -> BTreeSet<String> {
    let outcome = run_of(case, Engine::Fiber, strategy, seed, Keep::Events);
    let items = outcome.trace.events.iter().map(|event| &event.item);
    items
        .filter_map(|item| match item {
            Item::Transition { machine, from, to, .. } => Some(format!("{machine} {from} -> {to}")),
            _ => None,
        })
        .collect()
}

/// How much [`drive`] keeps of its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// The hash of each trace, as in a hunt.
    Hash,
    /// Every event, as in a replay.
    Events,
}

/// Executes `count` runs under a scheduled `engine` without verdicts, and returns their steps, for benchmarks.
pub fn drive(case: &Case, engine: Engine, strategy: StrategyName, count: u64, recording: Recording) -> u64 {
    let keep = match recording {
        Recording::Hash => Keep::Hash,
        Recording::Events => Keep::Events,
    };
    let seeds = (0..count).rev().map(|seed| (seed, keep));
    runs(case, engine, strategy, seeds).map(|outcome| u64::from(outcome.steps)).sum()
}
