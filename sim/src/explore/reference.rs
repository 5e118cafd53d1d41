//! Reference runs: the strategies' advance knowledge of a case.
//!
//! PCT needs the length of a run and URW the events of each task. If they came from the hunt's first run, every later
//! run would depend on it; so they come from a few runs of fixed seeds, the same for a hunt and for a replay.

use kernel::record::Keep;
use kernel::seed::RunSeeds;
use kernel::strategy::{Profile, StrategyName};

use super::case::Case;
use super::runs::Runs;
use crate::engine::Engine;
use crate::engine::scheduled::Ended;

/// The number of reference runs: enough that one odd plan does not set the length alone.
const RUNS: u64 = 4;

pub(super) fn profile(case: &Case) -> Profile {
    let mut profile = Profile::default();
    let mut runs = Runs::new(case, Engine::Fiber, StrategyName::RANDOM);
    let seeds = RunSeeds::new(0, "reference");
    for nth in 0..RUNS {
        add(&mut profile, &runs.make(seeds.of_run(nth), Keep::Switches));
    }
    profile
}

fn add(profile: &mut Profile, ended: &Ended) {
    profile.choices = profile.choices.max(ended.choices);
    let mut turns: Vec<u32> = ended.tasks.iter().map(|task| task.turns).collect();
    // A child has a higher number than its parent, so from last to first each count is complete when it is added.
    for (id, task) in ended.tasks.iter().enumerate().rev() {
        if let Some(parent) = task.parent {
            turns[parent.index()] += turns[id];
        }
    }
    for (task, turns) in ended.tasks.iter().zip(turns) {
        let events = profile.events.entry(task.key).or_insert(0);
        *events = (*events).max(turns);
    }
}
