//! The fuzzer's draws, from a seed and the number of an input.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// Draws of one input.
#[derive(Debug)]
pub(super) struct Dice(Pcg64Mcg);

impl Dice {
    /// The draws of the input with this number.
    pub(super) fn new(seed: u64, number: u64) -> Dice {
        // Two odd factors: neighbouring seeds and neighbouring numbers share no stream.
        let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93);
        Dice(Pcg64Mcg::seed_from_u64(mixed))
    }

    /// Any number.
    pub(super) fn any(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`; 0 if `bound` is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.0.next_u64() % bound.max(1) as u64) as usize
    }

    /// True in one of `times` draws.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of several; there must be at least one.
    pub(super) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A random range of a text of this length.
    pub(super) fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let (one, other) = (self.below(length + 1), self.below(length + 1));
        one.min(other)..one.max(other)
    }
}
