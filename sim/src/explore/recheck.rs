//! Repeating runs of a hunt: a deterministic run has the same trace, regardless of earlier and concurrent runs.
//!
//! Some runs of each chunk, chosen by their seeds, are repeated after it, in the opposite order. A repeated run with
//! another trace or another verdict is a bug of the harness or the model: the run depends on something other than
//! the seed. To report the first differing event, the run is repeated twice more with recording on: alone, and after
//! the runs that it had followed.

use kernel::record::Keep;
use kernel::seed::mix;

use super::cell::Cell;
use super::runs::runs;
use crate::session::Outcome;
use crate::table::describe;

/// Default percentage of runs that are repeated.
pub const RECHECK_PERCENT: u8 = 5;

/// The usual causes of a difference between two runs of one seed.
pub(super) const USUAL_CAUSES: &str = "usual causes: `select!` without `biased`, the order of std's HashMap or HashSet, \
                                       std's Instant or SystemTime, a static that outlives its run";

/// The result of a run, to be compared with its repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FirstRun {
    pub(super) index: u64,
    pub(super) seed: u64,
    pub(super) hash: u64,
    /// The property that it violated.
    pub(super) property: Option<String>,
}

impl FirstRun {
    pub(super) fn new(index: u64, seed: u64, outcome: &Outcome) -> FirstRun {
        let property = outcome.violation.as_ref().map(|violation| violation.property.clone());
        FirstRun { index, seed, hash: outcome.trace.hash(), property }
    }
}

/// Whether the run of this seed is to be repeated.
pub(super) fn is_chosen(seed: u64, percent: u8) -> bool {
    // Mixed once more, for independence: plan, schedule and draws derive from the seed itself.
    mix(seed ^ 0x7ec4_ec4e) % 100 < u64::from(percent)
}

/// Repeats these runs, and describes the first one that differs from its repetition. `seeds` returns the seeds of the
/// chunk's runs up to and including a given run, in the order in which they were run.
pub(super) fn first_that_differs(cell: &Cell, made: &[FirstRun], seeds: impl Fn(u64) -> Vec<u64>) -> Option<String> {
    let again: Vec<u64> = made.iter().rev().map(|made| made.seed).collect();
    let outcomes = run(cell, &again, |_| Keep::Hash);
    made.iter().zip(outcomes.iter().rev()).find_map(|(first, second)| difference(cell, first, second, &seeds))
}

fn difference(cell: &Cell, first: &FirstRun, second: &Outcome, seeds: impl Fn(u64) -> Vec<u64>) -> Option<String> {
    let again = FirstRun::new(first.index, first.seed, second);
    if again == *first {
        return None;
    }
    let in_place = seeds(first.index);
    let alone = run(cell, &[first.seed], |_| Keep::Events).pop();
    let last = in_place.len() - 1;
    let after = run(cell, &in_place, |nth| if nth == last { Keep::Events } else { Keep::Hash }).pop();
    let told = alone.zip(after).and_then(|(alone, after)| first_event(&alone, &after));
    let verdict = |property: &Option<String>| property.clone().unwrap_or_else(|| String::from("clean"));
    let verdicts = if again.property == first.property {
        String::new()
    } else {
        format!(", verdict `{}` first and `{}` when repeated", verdict(&first.property), verdict(&again.property))
    };
    Some(format!(
        "run {} of {} (seed {:#x}) had trace {:#018x} first and {:#018x} when repeated{verdicts}; {}; {USUAL_CAUSES}",
        first.index + 1,
        cell.case.name(),
        first.seed,
        first.hash,
        again.hash,
        told.unwrap_or_else(|| String::from("two further repetitions did not differ"))
    ))
}

/// The first event that differs between two recorded runs, in both versions.
fn first_event(one: &Outcome, other: &Outcome) -> Option<String> {
    let longest = one.trace.events.len().max(other.trace.events.len());
    let words = |outcome: &Outcome, nth: usize| {
        outcome
            .trace
            .events
            .get(nth)
            .map_or_else(|| String::from("the end of the run"), |event| describe(event, outcome))
    };
    (0..longest).find_map(|nth| {
        let (one, other) = (words(one, nth), words(other, nth));
        (one != other).then(|| format!("event {} differs: `{one}`, and `{other}`", nth + 1))
    })
}

/// The outcomes of these seeds' runs, made one after the other.
fn run(cell: &Cell, seeds: &[u64], keep: impl Fn(usize) -> Keep) -> Vec<Outcome> {
    let kept = seeds.iter().enumerate().map(|(nth, seed)| (*seed, keep(nth)));
    runs(&cell.case, cell.engine, cell.strategy, kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It also holds for consecutive seeds, such as those around `LASTREF_SEED=0`.
    #[test]
    fn the_percentage_of_seeds_that_is_asked_for_is_chosen() {
        for first in [0, 1 << 40, u64::MAX - 10_000] {
            for percent in [1, 5, 25, 50, 75] {
                let chosen = (first..first + 10_000).filter(|seed| is_chosen(*seed, percent)).count();
                let expected = usize::from(percent) * 100;
                assert!(chosen.abs_diff(expected) <= 150, "{chosen} of 10,000 at {percent} %");
            }
            assert!((first..first + 100).all(|seed| is_chosen(seed, 100) && !is_chosen(seed, 0)));
        }
    }
}
