//! The runs of one case under the scheduled engines: each from its seed alone, one after the other.

use super::case::Case;
use crate::engine::Engine;
use crate::engine::sched::{self, Ended};
use crate::plan::{AnyPlan, Generator};
use crate::run::Record;
use crate::strategy::{Profile, Strategy, StrategyName};

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
    pub(crate) fn make(&mut self, seed: u64, record: Record) -> Ended {
        let plan = self.generator.plan(seed);
        let strategy = build(self.case, self.strategy, seed);
        run_exact(self.case, self.engine, Exact { plan, seed, strategy, record })
    }
}

/// A run whose plan, seed and schedule are all given.
pub(crate) struct Exact {
    pub(crate) plan: AnyPlan,
    pub(crate) seed: u64,
    pub(crate) strategy: Box<dyn Strategy>,
    pub(crate) record: Record,
}

/// Makes that run.
pub(crate) fn run_exact(case: &Case, engine: Engine, exact: Exact) -> Ended {
    let Exact { plan, seed, strategy, record } = exact;
    sched::execute(case.setup(plan, seed, strategy, record, engine))
}

/// The strategy for the run of `seed`.
pub(crate) fn build(case: &Case, strategy: StrategyName, seed: u64) -> Box<dyn Strategy> {
    if strategy.learns() { strategy.build(seed, case.profile()) } else { strategy.build(seed, &Profile::default()) }
}
