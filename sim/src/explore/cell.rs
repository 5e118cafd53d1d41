//! A cell: one case on one engine, and how long it is searched.

use super::case::Case;
use crate::engine::Engine;
use crate::seed::run_seed;
use crate::strategy::StrategyName;

/// One line of a hunt's table.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What is explored.
    pub case: Case,
    /// Under which engine.
    pub engine: Engine,
    /// By which strategy.
    pub strategy: StrategyName,
    /// How long.
    pub budget: Budget,
}

impl Cell {
    /// The seed of run number `index` in the hunt of this seed.
    pub(super) fn run_seed(&self, hunt: u64, index: u64) -> u64 {
        // Not by the engine: `shuttle` makes the runs that `fiber` makes, and their traces can be compared.
        run_seed(hunt, &format!("{}/{}", self.case.name(), self.strategy), index)
    }
}

/// How many runs a cell gets while nothing is found. Loom has a budget of its own ([`LoomBudget`](super::LoomBudget)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Runs after which the search counts as complete.
    pub enough: u64,
    /// Runs after which it ends. May be below `enough`, for a search that is narrower than it should be, or above it, for
    /// one that goes on as long as there is time.
    pub most: u64,
}

impl Budget {
    /// The search ends when it is complete.
    pub fn exactly(runs: u64) -> Budget {
        Budget { enough: runs, most: runs }
    }
}
