//! The faults that hit connections, by phase: of one run, and counted over many.

use std::collections::{BTreeMap, BTreeSet};

use super::dialogue::Phase;

/// For each fault, by its name, and each phase: the number of runs in which the fault hit a connection in that phase.
pub type HitCounts = BTreeMap<String, BTreeMap<Phase, u64>>;

/// The faults that hit connections in one run.
#[derive(Debug, Default)]
pub(crate) struct Hits(BTreeSet<(&'static str, Phase)>);

impl Hits {
    pub(super) fn hit(&mut self, fault: &'static str, phase: Phase) {
        self.0.insert((fault, phase));
    }

    /// Adds this run to the counts.
    pub(crate) fn count(&self, counts: &mut HitCounts) {
        for (fault, phase) in &self.0 {
            if !counts.contains_key(*fault) {
                counts.insert((*fault).to_owned(), BTreeMap::new());
            }
            if let Some(phases) = counts.get_mut(*fault) {
                *phases.entry(*phase).or_insert(0) += 1;
            }
        }
    }
}

/// Adds the counts of other runs.
pub fn add_hits(sum: &mut HitCounts, more: HitCounts) {
    for (fault, phases) in more {
        let counts = sum.entry(fault).or_default();
        phases.into_iter().for_each(|(phase, runs)| *counts.entry(phase).or_insert(0) += runs);
    }
}
