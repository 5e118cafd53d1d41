//! A cell: one case on one engine, and the length of its search.

use kernel::seed::RunSeeds;
use kernel::strategy::StrategyName;

use super::case::Case;
use crate::engine::Engine;

/// One line of a hunt's table.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The case.
    pub case: Case,
    /// The engine.
    pub engine: Engine,
    /// The strategy.
    pub strategy: StrategyName,
    /// The budget of the search.
    pub budget: Budget,
}

impl Cell {
    /// The seeds of its runs in a hunt with this seed.
    pub(super) fn seeds(&self, hunt: u64) -> RunSeeds {
        // Independent of the engine: `shuttle` executes the same runs as `fiber`, and their traces can be compared.
        RunSeeds::new(hunt, &format!("{}/{}", self.case.name(), self.strategy))
    }
}

/// The number of runs of a cell without a finding. Loom has its own budget ([`LoomBudget`](super::LoomBudget)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Runs after which the search counts as complete.
    pub enough: u64,
    /// Runs after which it ends. If it is below `enough`, the search stays incomplete; if it is above, a complete
    /// search continues as long as time permits.
    pub most: u64,
}

impl Budget {
    /// The search ends when it is complete.
    pub fn exactly(runs: u64) -> Budget {
        Budget { enough: runs, most: runs }
    }
}
