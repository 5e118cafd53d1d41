//! Reference runs: the measurements of a case that strategies need in advance.
//!
//! PCT needs the length of a run and URW the events of each task. If they came from the hunt's first run, every later
//! run would depend on it; so they come from a few runs of fixed seeds, the same for a hunt and for a replay.

use kernel::record::Keep;
use kernel::seed::RunSeeds;
use kernel::strategy::{Profile, StrategyName};

use super::case::Case;
use super::runs::runs;
use crate::engine::Engine;
use crate::session::Outcome;

/// The number of reference runs: enough that one odd plan does not set the length alone.
const RUNS: u64 = 4;

impl Case {
    /// The measurements of the case that strategies need.
    pub(crate) fn profile(&self) -> &Profile {
        self.0.profile.get_or_init(|| profile(self))
    }
}

fn profile(case: &Case) -> Profile {
    let mut profile = Profile::default();
    let seeds = RunSeeds::new(0, "reference");
    let kept = (0..RUNS).map(|nth| (seeds.of_run(nth), Keep::Switches));
    for Outcome { schedule, .. } in runs(case, Engine::Fiber, StrategyName::RANDOM, kept) {
        profile.add(schedule.choices, &schedule.tasks);
    }
    profile
}
