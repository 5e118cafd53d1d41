//! The runs of one case under the scheduled engines: each from its seed alone, one after the other.

use kernel::record::Keep;
use kernel::strategy::{Profile, Strategy, StrategyName};

use super::case::Case;
use crate::engine::Engine;
use crate::engine::scheduled::{self, Ended};
use crate::plan::{AnyPlan, Generator};

/// Makes runs of a case.
pub(crate) struct Runs<'a> {
    case: &'a Case,
    engine: Engine,
    strategy: StrategyName,
    generator: Box<dyn Generator>,
}

impl<'a> Runs<'a> {
    pub(crate) fn new(case: &'a Case, engine: Engine, strategy: StrategyName) -> Runs<'a> {
        Runs { case, engine, strategy, generator: case.generator() }
    }

    /// Makes the run of `seed`.
    pub(crate) fn make(&mut self, seed: u64, keep: Keep) -> Ended {
        let plan = self.generator.plan(seed);
        let strategy = build(self.case, self.strategy, seed);
        run_exact(self.case, self.engine, Exact { plan, seed, strategy, keep })
    }
}

/// A run whose plan, seed and schedule are all given.
pub(crate) struct Exact {
    pub(crate) plan: AnyPlan,
    pub(crate) seed: u64,
    pub(crate) strategy: Box<dyn Strategy>,
    pub(crate) keep: Keep,
}

/// Makes that run.
pub(crate) fn run_exact(case: &Case, engine: Engine, exact: Exact) -> Ended {
    let Exact { plan, seed, strategy, keep } = exact;
    scheduled::execute(case.setup(seed, strategy, keep, engine), case.body(plan))
}

/// The strategy for the run of `seed`.
pub(crate) fn build(case: &Case, strategy: StrategyName, seed: u64) -> Box<dyn Strategy> {
    if strategy.learns() { strategy.build(seed, case.profile()) } else { strategy.build(seed, &Profile::default()) }
}
