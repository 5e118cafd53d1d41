//! A publisher's wait for room in shared memory: until the client has had all turns that it needs to free unused logs.
//!
//! Upstream's publisher tries once and fails, because of a leak or of a client that is merely late. Here it waits for
//! turns instead of time, so that a failure means a leak on every engine and every machine.

use std::sync::atomic::{AtomicU32, Ordering};

/// Counts of a client's turns. Harness state, invisible to the schedule.
#[derive(Debug, Default)]
pub(super) struct Progress {
    cycles: AtomicU32,
    idle_polls: AtomicU32,
}

#[derive(Clone, Copy, Debug)]
enum Turn {
    /// A duty cycle of the conductor.
    Cycle,
    /// A poll of a subscriber that has done its steps.
    IdlePoll,
}

/// The conductor reads the driver's messages, one per cycle; the subscriber, without handles, proposes the newest list;
/// then the conductor frees images.
const TURNS: [(Turn, u32); 3] = [(Turn::Cycle, 16), (Turn::IdlePoll, 2), (Turn::Cycle, 3)];

impl Progress {
    pub(super) fn cycle(&self) {
        self.cycles.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn idle_poll(&self) {
        self.idle_polls.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self, turn: Turn) -> u32 {
        match turn {
            Turn::Cycle => self.cycles.load(Ordering::SeqCst),
            Turn::IdlePoll => self.idle_polls.load(Ordering::SeqCst),
        }
    }
}

/// The turns that are left.
#[derive(Debug)]
pub(super) struct Patience {
    step: usize,
    from: u32,
}

impl Patience {
    pub(super) fn new(progress: &Progress) -> Patience {
        Patience { step: 0, from: progress.count(TURNS[0].0) }
    }

    /// True if the client has had all of its turns.
    pub(super) fn is_over(&mut self, progress: &Progress) -> bool {
        while let Some((turn, turns)) = TURNS.get(self.step) {
            if progress.count(*turn) < self.from + turns {
                return false;
            }
            self.step += 1;
            self.from = TURNS.get(self.step).map_or(0, |(turn, _)| progress.count(*turn));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_count_only_in_their_order() {
        let progress = Progress::default();
        let mut patience = Patience::new(&progress);
        for _ in 0..8 {
            progress.idle_poll();
        }
        assert!(!patience.is_over(&progress));
        for _ in 0..32 {
            progress.cycle();
        }
        assert!(!patience.is_over(&progress), "the polls came before the cycles");
        progress.idle_poll();
        progress.idle_poll();
        assert!(!patience.is_over(&progress));
        for _ in 0..3 {
            progress.cycle();
        }
        assert!(patience.is_over(&progress));
    }
}
