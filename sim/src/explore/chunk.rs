//! A part of a cell: a chunk of its runs, executed on one thread, and their results.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use kernel::record::{HitCounts, Keep, Violation, Void, add_hits};
use kernel::seed::fold;

use super::cell::Cell;
use super::recheck::{self, FirstRun};
use super::report::words;
use super::runs::runs;
use crate::engine::threads;
use crate::session::Outcome;

/// The run at which a cell ends.
pub(super) enum Found {
    /// It violates a property: as found by the hunt, before the run is repeated for its table.
    Violation { index: u64, violation: Violation, hash: u64 },
    /// It is invalid and gives no verdict on the component.
    Void { index: u64, void: Void },
    /// Its repetition differed.
    Diverged { message: String },
}

/// The results of some runs of a cell, up to the first finding among them.
#[derive(Default)]
pub(super) struct ChunkResult {
    pub(super) runs: u64,
    pub(super) rechecked: u64,
    pub(super) steps: u64,
    pub(super) hash: u64,
    pub(super) reached: BTreeMap<String, u64>,
    pub(super) faults: HitCounts,
    pub(super) found: Option<Found>,
    /// The runs that are to be repeated.
    pub(super) made: Vec<FirstRun>,
}

impl ChunkResult {
    fn add(&mut self, index: u64, seed: u64, outcome: Outcome, recheck_percent: u8) {
        if recheck::is_chosen(seed, recheck_percent) {
            self.made.push(FirstRun::new(index, seed, &outcome));
        }
        self.runs += 1;
        self.steps += u64::from(outcome.steps);
        let hash = outcome.trace.hash();
        // A sum, which does not depend on how runs are divided among cores; the seed distinguishes equal runs.
        self.hash = self.hash.wrapping_add(fold(seed, hash));
        for (sentence, count) in words(&outcome.reached) {
            *self.reached.entry(sentence).or_insert(0) += count;
        }
        outcome.faults.count(&mut self.faults);
        let log = outcome.into_log();
        if let Some(void) = log.void {
            self.found = Some(Found::Void { index, void });
        } else if let Some(violation) = log.violation {
            self.found = Some(Found::Violation { index, violation: *violation, hash });
        }
    }

    /// Repeats the chosen runs. `seeds` returns the seeds of the chunk's runs up to and including a given run.
    fn recheck(&mut self, cell: &Cell, seeds: impl Fn(u64) -> Vec<u64>) {
        let made = std::mem::take(&mut self.made);
        self.rechecked = made.len() as u64;
        if let Some(message) = recheck::first_that_differs(cell, &made, seeds) {
            self.found = Some(Found::Diverged { message });
        }
    }

    /// Adds the part with the runs that follow these.
    pub(super) fn absorb(&mut self, later: ChunkResult) {
        self.runs += later.runs;
        self.rechecked += later.rechecked;
        self.steps += later.steps;
        self.hash = self.hash.wrapping_add(later.hash);
        for (sentence, count) in later.reached {
            *self.reached.entry(sentence).or_insert(0) += count;
        }
        add_hits(&mut self.faults, later.faults);
        self.found = later.found;
    }
}

/// Executes these runs under a scheduled engine, up to the first finding. `hunt` is the hunt's seed.
pub(super) fn scheduled(cell: &Cell, hunt: u64, indices: Range<u64>, recheck_percent: u8) -> ChunkResult {
    let mut part = ChunkResult::default();
    let (from, seeds) = (indices.start, cell.seeds(hunt));
    let kept = indices.clone().map(|index| (seeds.of_run(index), Keep::Hash));
    for (index, outcome) in indices.zip(runs(&cell.case, cell.engine, cell.strategy, kept)) {
        part.add(index, seeds.of_run(index), outcome, recheck_percent);
        if part.found.is_some() {
            break;
        }
    }
    part.recheck(cell, |last| (from..=last).map(|index| seeds.of_run(index)).collect());
    part
}

/// Executes these runs on real threads, up to the first finding or until `over` returns true.
pub(super) fn on_threads(cell: &Cell, hunt: u64, runs: Range<u64>, over: impl Fn() -> bool) -> ChunkResult {
    let mut part = ChunkResult::default();
    let (mut generator, seeds) = (cell.case.generator(), cell.seeds(hunt));
    for index in runs {
        if part.found.is_some() || over() {
            break;
        }
        let seed = seeds.of_run(index);
        part.add(index, seed, threads::run_once(seed, Keep::Hash, Arc::new(cell.case.body(generator.plan(seed)))), 0);
    }
    part
}
