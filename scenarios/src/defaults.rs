//! What a hunt does when nobody says otherwise.
//!
//! One place, because the command line and the suite must mean the same thing by "the default": a verdict of one is only
//! comparable with a verdict of the other if seed, strategy and budget are the same.

use std::time::Duration;

use sim::explore::{LoomBudget, StrategyName};

/// How the next task is chosen, where the engine leaves a choice.
///
/// Each run goes to one of several strategies by its seed: none of them wins everywhere, and which one wins is not known
/// before the bug is.
pub const STRATEGY: StrategyName = StrategyName::Mix;

/// The seed of a hunt. A constant, so that two people who type the same command see the same run.
pub const SEED: u64 = 0;

/// Schedules for each cell of a hunt: from the seed of a hunt every planted defect needs fewer, from others a
/// few may need more (docs/detection.md), and the whole list stays below the time cap.
pub const SCHEDULES: u64 = 1_000;

/// Executions for each loom cell of a hunt. The small plans stay far below it, so that their exploration is complete.
pub const LOOM: LoomBudget = LoomBudget::DEFAULT;

/// Time for the whole hunt if neither a budget of schedules nor one of time is given: enough on two cores, with room for
/// a slower machine.
pub const TIME: Duration = Duration::from_secs(90);

/// The folder of saved cases, below the working directory.
pub const REPRO_DIR: &str = ".lastref";
