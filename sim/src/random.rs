//! Draws that a model makes, from the run's own substream.
//!
//! A draw is keyed by the task and that task's own count of draws, not by the order in which tasks happen to draw:
//! another schedule of the same seed gives each task the same numbers, which is what lets a schedule shrink.

use crate::engine;
use crate::seed::{Purpose, mix, scale};

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
