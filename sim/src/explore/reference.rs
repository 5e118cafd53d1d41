//! Reference runs: what strategies that need it know of a case beforehand.
//!
//! PCT wants the length of a run and URW the events of each task. Learning them from the hunt's first run would make every
//! later run depend on it; so they come from a few runs of fixed seeds, the same for a hunt and for a replay.

use std::cell::RefCell;
use std::rc::Rc;

use super::case::Case;
use crate::engine::sched::{Ended, Setup, Source, run_batch};
use crate::plan::Generator;
use crate::run::Record;
use crate::seed::run_seed;
use crate::strategy::{Profile, StrategyName};

/// How many: enough that one odd plan does not set the length alone.
const RUNS: u64 = 4;

struct Reference {
    case: Case,
    generator: Box<dyn Generator>,
    nth: u64,
    profile: Rc<RefCell<Profile>>,
}

impl Source for Reference {
    fn next(&mut self) -> Option<Setup> {
        if self.nth == RUNS {
            return None;
        }
        let seed = run_seed(0, "reference", self.nth);
        self.nth += 1;
        let plan = self.generator.plan(seed);
        Some(self.case.setup(plan, seed, StrategyName::Random.build(seed, &Profile::default()), Record::Hash))
    }

    fn finished(&mut self, ended: Ended) {
        let mut profile = self.profile.borrow_mut();
        profile.choices = profile.choices.max(ended.choices);
        let mut turns: Vec<u32> = ended.tasks.iter().map(|task| task.turns).collect();
        // A child has a higher number than its parent, so from the last to the first every count is whole when added.
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
}

pub(super) fn profile(case: &Case) -> Profile {
    let profile = Rc::new(RefCell::new(Profile::default()));
    let reference = Reference { case: case.clone(), generator: case.generator(), nth: 0, profile: Rc::clone(&profile) };
    run_batch(Box::new(reference), case.bounds().stack_bytes);
    profile.take()
}
