//! The defaults of a hunt.
//!
//! It is bounded in schedules and not in time, so that it decides every cell on any machine.
//!
//! Both the command line and the tests of a list use these defaults. A verdict of one is comparable with a verdict of
//! the other only if seed, strategy and budget are the same.

use crate::explore::{LoomBudget, StrategyName};

/// The scheduling strategy.
///
/// The seed of a run selects one of several strategies, since no strategy is best for every bug.
pub const STRATEGY: StrategyName = StrategyName::MIX;

/// The seed of a hunt. A constant, so that two people who type the same command see the same run.
pub const SEED: u64 = 0;

/// Schedules for the cell of a clean variant: enough to reach every rare state that its scenario names.
pub const SCHEDULES: u64 = 1_000;

/// Most schedules for the cell of a planted defect, which ends when the defect is found. About 1.7 times what the
/// slowest of this repository's scenarios needs from any of the seeds of docs/detection.md.
pub const SCHEDULES_OF_DEFECT: u64 = 10_000;

/// Executions for each loom cell. The small plans stay far below it, so that their exploration is complete.
pub const LOOM: LoomBudget = LoomBudget::DEFAULT;

/// The folder of saved cases, below the working directory.
pub const REPRO_DIR: &str = ".lastref";
