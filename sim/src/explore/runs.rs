//! The runs of one case under the scheduled engines: each from its seed alone, one after the other.

use kernel::record::Keep;
use kernel::strategy::{Profile, Strategy, StrategyName};

use super::case::Case;
use crate::engine::Engine;
use crate::engine::scheduled;
use crate::plan::AnyPlan;
use crate::session::Outcome;

/// The runs of these seeds. The iterator executes each run when its result is requested.
pub(crate) fn runs(
    case: &Case,
    engine: Engine,
    strategy: StrategyName,
    seeds: impl IntoIterator<Item = (u64, Keep)>,
) -> impl Iterator<Item = Outcome> {
    let mut generator = case.generator();
    seeds.into_iter().map(move |(seed, keep)| {
        let plan = generator.plan(seed);
        run_exact(case, engine, Exact { plan, seed, strategy: build(case, strategy, seed), keep })
    })
}

/// The run of `seed`.
pub(crate) fn run_of(case: &Case, engine: Engine, strategy: StrategyName, seed: u64, keep: Keep) -> Outcome {
    let plan = case.generator().plan(seed);
    run_exact(case, engine, Exact { plan, seed, strategy: build(case, strategy, seed), keep })
}

/// A run whose plan, seed and schedule are all given.
pub(crate) struct Exact {
    pub(crate) plan: AnyPlan,
    pub(crate) seed: u64,
    pub(crate) strategy: Box<dyn Strategy>,
    pub(crate) keep: Keep,
}

/// Executes that run.
pub(crate) fn run_exact(case: &Case, engine: Engine, exact: Exact) -> Outcome {
    let Exact { plan, seed, strategy, keep } = exact;
    scheduled::execute(case.setup(seed, strategy, keep, engine), case.body(plan))
}

/// The strategy for the run of `seed`.
pub(crate) fn build(case: &Case, strategy: StrategyName, seed: u64) -> Box<dyn Strategy> {
    if strategy.learns() { strategy.build(seed, case.profile()) } else { strategy.build(seed, &Profile::default()) }
}
