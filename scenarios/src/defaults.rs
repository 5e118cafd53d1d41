//! The defaults of a hunt.
//!
//! It is bounded in schedules and not in time, so that it decides every cell on any machine.
//!
//! One place, because the command line and the suite must mean the same thing by "the default": a verdict of one is
//! only comparable with a verdict of the other if seed, strategy and budget are the same.

use lastref::explore::{LoomBudget, StrategyName};

/// How the next task is chosen, where the engine leaves a choice.
///
/// Each run goes to one of several strategies by its seed: none is best for every bug, and the best one for an unknown
/// bug is unknown.
pub const STRATEGY: StrategyName = StrategyName::MIX;

/// The seed of a hunt. A constant, so that two people who type the same command see the same run.
pub const SEED: u64 = 0;

/// Schedules for the cell of a clean variant: enough to reach every rare state that its scenario names.
pub const SCHEDULES: u64 = 1_000;

/// Most schedules for the cell of a planted defect, which ends when the defect is found. About three times what the
/// slowest needs from any of the seeds of docs/detection.md.
pub const SCHEDULES_OF_DEFECT: u64 = 10_000;

/// Executions for each loom cell. The small plans stay far below it, so that their exploration is complete.
pub const LOOM: LoomBudget = LoomBudget::DEFAULT;

/// The scenario and the planted defect of the finding that a hunt shows in full: those of the README.
pub const EXAMPLE: (&str, &str) = ("free_after_send", "free_after_send_ok");

/// The folder of saved cases, below the working directory.
pub const REPRO_DIR: &str = ".lastref";
