//! The variety of a search: whether its runs still have new traces, and what to do if they have not.
//!
//! A small test has a few dozen schedules. Once most runs repeat a known trace, another one shows little by its
//! schedule, so a larger share of them has guard pages, which find accesses that change no value. Such a run differs
//! only in its seed, by which it draws guard pages, so the seed alone still names the run.
//!
//! A test without a choice has one schedule. If its runs take long, the search ends early.

use lastref_kernel::seed::mix;

use crate::settings::{Pins, Settings};

/// The number of recent runs that count.
const RECENT: u32 = 64;
/// The share of runs with guard pages, once most runs repeat a known trace: one in this many.
const GUARDED: u64 = 4;
/// Guard pages take two system calls for each block, so tests with more blocks in a run have no further such runs.
const BLOCKS_MAX: usize = 2_000;
/// A test without a choice has at least this many runs.
const ALONE_RUNS: u64 = 20;
/// Its runs have at most this many traces. The network draws the order of events without a choice among tasks.
const ALONE_TRACES: usize = 2;
/// The real time after which the search of a test without a choice ends.
const ALONE_NS: u64 = 2_000_000_000;

/// What the runs of a search have in common.
#[derive(Debug, Default)]
pub(crate) struct Variety {
    /// A bit for each of the last [`RECENT`] runs: it repeated a known trace.
    repeated: u64,
    /// Runs with guard pages.
    guarded: u64,
    runs: u64,
}

impl Variety {
    /// Counts a run.
    pub(crate) fn counts(&mut self, is_new: bool, settings: Settings) {
        self.repeated = self.repeated << 1 | u64::from(!is_new);
        self.guarded += u64::from(settings.guard);
        self.runs += 1;
    }

    /// The seed of the next run. It is `seed`, or another one by which the run draws guard pages.
    pub(crate) fn seed(&self, seed: u64, pins: &Pins, blocks: usize) -> u64 {
        let repeats = self.repeated.count_ones() * 2 > RECENT;
        if !repeats || blocks > BLOCKS_MAX || pins.fix("guard") || !mix(seed).is_multiple_of(GUARDED) {
            return seed;
        }
        // One seed in 16 has guard pages.
        let mut others = (0..1_000).map(|nth| mix(seed.wrapping_add(nth)));
        others.find(|other| Settings::drawn(*other, pins).guard).unwrap_or(seed)
    }

    /// Whether a search that has had no choice among tasks so far, for this time and with this many traces, is over.
    pub(crate) fn is_exhausted(&self, pins: &Pins, traces: usize, elapsed_ns: u64) -> bool {
        let has_guarded = self.guarded > 0 || pins.fix("guard");
        let is_long = self.runs >= ALONE_RUNS && elapsed_ns >= ALONE_NS;
        is_long && has_guarded && traces <= ALONE_TRACES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_changes_only_while_most_runs_repeat_and_then_has_guard_pages() {
        let (none, mut variety) = (Pins::default(), Variety::default());
        let settings = Settings::OFF;
        let changed = |variety: &Variety, pins: &Pins, blocks| {
            let seeds = (0..400).filter(|seed| variety.seed(*seed, pins, blocks) != *seed);
            seeds.inspect(|seed| assert!(Settings::drawn(variety.seed(*seed, pins, blocks), pins).guard)).count()
        };
        (0..40).for_each(|_| variety.counts(true, settings));
        assert_eq!(changed(&variety, &none, 0), 0);
        (0..40).for_each(|_| variety.counts(false, settings));
        assert!((60..140).contains(&changed(&variety, &none, 0)));
        assert_eq!(changed(&variety, &none, BLOCKS_MAX + 1), 0);
        assert_eq!(changed(&variety, &"guard=0".parse().expect("a pin"), 0), 0);
        (0..40).for_each(|_| variety.counts(true, settings));
        assert_eq!(changed(&variety, &none, 0), 0);
    }

    #[test]
    fn a_search_without_a_choice_ends_after_its_time_and_a_run_with_guard_pages() {
        let (none, mut variety) = (Pins::default(), Variety::default());
        (0..30).for_each(|_| variety.counts(false, Settings::OFF));
        assert!(!variety.is_exhausted(&none, 1, ALONE_NS), "no run had guard pages");
        variety.counts(false, Settings { guard: true, ..Settings::OFF });
        assert!(variety.is_exhausted(&none, 1, ALONE_NS) && !variety.is_exhausted(&none, 1, ALONE_NS - 1));
        assert!(!variety.is_exhausted(&none, 3, ALONE_NS), "the network draws");
    }
}
