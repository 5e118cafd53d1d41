//! Draws of the model and of its environment, from two substreams of the run's seed.
//!
//! A model's draw is keyed by the task and that task's own count of draws, not by the order in which tasks happen to
//! draw: another schedule of the same seed gives each task the same numbers, which is what lets a schedule shrink.
//!
//! The engine draws too, where std or a network leaves a choice open. Such a draw never comes from the model's stream,
//! since a schedule decides how many of them a task makes. It is keyed by what is chosen, so that the same packet has
//! the same latency under another schedule, and a replay needs no record of it.

use crate::engine;
use crate::run;
use crate::seed::{Purpose, fold, mix, scale};

/// A number.
pub fn u64() -> u64 {
    let (seed, key, nth) = engine::draw_key();
    mix(Purpose::Model.of(seed).wrapping_add(mix(key.0 ^ u64::from(nth))))
}

/// A number below `bound`; 0 when `bound` is 0.
pub fn below(bound: u64) -> u64 {
    scale(u64(), bound)
}

/// True in `numerator` of `denominator` draws.
pub fn chance(numerator: u64, denominator: u64) -> bool {
    below(denominator) < numerator
}

/// A choice of the environment, and what names it within its run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice {
    /// Which waiter the n-th `notify_one` of a task wakes.
    Waiter {
        /// The key of the task that notifies.
        task: u64,
        /// Its own count of notifications.
        nth: u32,
    },
    /// The latency of the n-th packet of one end of a connection.
    Latency {
        /// The connection's number.
        connection: u32,
        /// The end that sends.
        end: usize,
        /// That end's own count of packets.
        nth: u32,
    },
    /// How many bytes of a stream a read transfers from this position on.
    Read {
        /// The connection's number.
        connection: u32,
        /// The end that reads.
        end: usize,
        /// Bytes read before.
        position: u64,
    },
    /// How many bytes of a stream a write transfers from this position on.
    Write {
        /// The connection's number.
        connection: u32,
        /// The end that writes.
        end: usize,
        /// Bytes written before.
        position: u64,
    },
}

impl Choice {
    fn key(self) -> [u64; 4] {
        match self {
            Choice::Waiter { task, nth } => [0, task, 0, u64::from(nth)],
            Choice::Latency { connection, end, nth } => [1, u64::from(connection), end as u64, u64::from(nth)],
            Choice::Read { connection, end, position } => [2, u64::from(connection), end as u64, position],
            Choice::Write { connection, end, position } => [3, u64::from(connection), end as u64, position],
        }
    }

    /// One of `0..bound`; 0 when `bound` is 0.
    pub(crate) fn below(self, bound: u64) -> u64 {
        self.below_in(run::with(|run| run.seed).unwrap_or(0), bound)
    }

    /// The same in the run of this seed.
    pub(crate) fn below_in(self, seed: u64, bound: u64) -> u64 {
        let key = self.key().into_iter().fold(0, fold);
        scale(mix(Purpose::Environment.of(seed).wrapping_add(mix(key))), bound)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn choices_that_differ_are_drawn_apart_and_the_same_choice_is_the_same() {
        let choices = [
            Choice::Waiter { task: 1, nth: 1 },
            Choice::Waiter { task: 2, nth: 1 },
            Choice::Waiter { task: 1, nth: 2 },
            Choice::Latency { connection: 1, end: 0, nth: 1 },
            Choice::Latency { connection: 1, end: 1, nth: 1 },
            Choice::Latency { connection: 2, end: 0, nth: 1 },
            Choice::Latency { connection: 1, end: 0, nth: 2 },
            Choice::Read { connection: 1, end: 0, position: 1 },
            Choice::Read { connection: 1, end: 1, position: 1 },
            Choice::Write { connection: 1, end: 0, position: 1 },
            Choice::Write { connection: 1, end: 0, position: 2 },
        ];
        let draws = |seed| choices.map(|choice| choice.below_in(seed, u64::MAX));
        assert_eq!(draws(7), draws(7));
        let all: BTreeSet<u64> = draws(7).into_iter().chain(draws(8)).collect();
        assert_eq!(all.len(), 2 * choices.len());
        assert_eq!(choices[0].below_in(7, 0), 0);
    }
}
