//! Draws of the model and of its environment, from two substreams of the run's seed.
//!
//! A model's draw is keyed by the task and the number of its earlier draws, not by the order in which tasks draw.
//! Another schedule of the same seed therefore gives each task the same numbers, and shrinking a schedule keeps them.
//!
//! The engine draws where std or a network leaves a choice open. These draws have their own stream, since the schedule
//! decides how many of them a task makes. Each is keyed by the object of the choice: the same packet has the same
//! latency under another schedule, and a replay needs no record of it.

use kernel::record::TaskKey;
use kernel::seed::{Choice, Purpose, mix, scale};

use crate::session::with_log;

/// A uniformly distributed number of 64 bits, drawn by the current task. Outside any run it is always the same number.
pub fn u64() -> u64 {
    let (seed, key, nth) = with_log(|log| log.draw_key()).unwrap_or((0, TaskKey::MAIN, 0));
    mix(Purpose::Model.of(seed).wrapping_add(mix(key.0 ^ u64::from(nth))))
}

/// A number below `bound`; 0 when `bound` is 0.
pub fn below(bound: u64) -> u64 {
    scale(u64(), bound)
}

/// True with probability `numerator / denominator`.
pub fn chance(numerator: u64, denominator: u64) -> bool {
    below(denominator) < numerator
}

/// The choice of the environment in the run of this OS thread: one of `0..bound`; 0 when `bound` is 0.
#[allow(dead_code, reason = "for the network, which the stand-in and a build without the feature `net` lack")]
pub(crate) fn chosen(choice: Choice, bound: u64) -> u64 {
    choice.below(with_log(|log| log.seed).unwrap_or(0), bound)
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
        let draws = |seed| choices.map(|choice| choice.below(seed, u64::MAX));
        assert_eq!(draws(7), draws(7));
        let all: BTreeSet<u64> = draws(7).into_iter().chain(draws(8)).collect();
        assert_eq!(all.len(), 2 * choices.len());
        assert_eq!(choices[0].below(7, 0), 0);
    }
}
