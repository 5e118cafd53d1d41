//! One seed per run, and named substreams of it.
//!
//! Every choice of a run (schedule, plan, the model's own draws) comes from a substream named for its purpose, so that
//! an additional draw in one substream does not change the others. The generator is PCG-64 (MCG), whose definition
//! fixes its output: a token names the same run on every platform.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// The purpose of a substream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The strategy's choices.
    Schedule,
    /// The plan: workload and faults.
    Plan,
    /// Draws that a model makes, keyed by task.
    Model,
    /// The engine's choices where std or a network leaves them open: the waiter that a notification wakes, whether a
    /// waiting writer keeps readers out, the latency of a packet, the number of bytes that a read transfers.
    Environment,
    /// The seeds of the runs of one hunt.
    Hunt,
    /// The choice of the strategy that a portfolio uses for the run.
    Portfolio,
}

impl Purpose {
    fn constant(self) -> u64 {
        match self {
            Purpose::Schedule => 0x5c4e_d01e,
            Purpose::Plan => 0x0000_91a2,
            Purpose::Model => 0x0003_0de1,
            Purpose::Environment => 0x00e7_11f0,
            Purpose::Hunt => 0x0000_4a27,
            Purpose::Portfolio => 0x0f01_1010,
        }
    }
}

impl Purpose {
    /// The root of the substream of `seed`.
    pub fn of(self, seed: u64) -> u64 {
        mix(seed ^ mix(self.constant()))
    }
}

/// A stream of numbers.
#[derive(Clone, Debug)]
pub struct Stream(Pcg64Mcg);

impl Stream {
    /// The substream of `seed` for `purpose`.
    pub fn new(seed: u64, purpose: Purpose) -> Stream {
        Stream(Pcg64Mcg::seed_from_u64(purpose.of(seed)))
    }

    /// The next number.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`; 0 when `bound` is 0. The bias of the multiplication is below 2^-32 for every bound of at
    /// most 32 bits, too small to affect a search.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        scale(self.next_u64(), bound)
    }
}

/// Maps a uniform 64-bit number onto `0..bound`.
#[inline]
pub fn scale(number: u64, bound: u64) -> u64 {
    ((u128::from(number) * u128::from(bound)) >> 64) as u64
}

/// SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): spreads every input bit over all output bits.
pub fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Folds `value` into `state`, order-sensitively.
#[inline]
pub fn fold(state: u64, value: u64) -> u64 {
    (state.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// Folds a name into `state`, eight bytes at a time.
#[inline]
pub fn fold_name(state: u64, name: &str) -> u64 {
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    // The length distinguishes a name from the same one with zero bytes after it.
    let state = words.iter().fold(fold(state, name.len() as u64), |state, word| fold(state, u64::from_le_bytes(*word)));
    let last = match name.as_bytes().last_chunk::<8>() {
        // The bytes of the last word that are not in `words` are its highest.
        Some(last) if !rest.is_empty() => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
        Some(_) => 0,
        None => short_word(rest),
    };
    fold(state, last)
}

/// The little-endian number of at most seven bytes.
///
/// Two reads that may overlap are faster than a copy of variable length.
#[inline]
fn short_word(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (8 * (len - 4));
    }
    // One to three bytes: the first, the middle and the last are all of them.
    let byte = |place: usize| u64::from(bytes[place]) << (8 * place);
    if len == 0 { 0 } else { byte(0) | byte(len / 2) | byte(len - 1) }
}

/// Folds a text into `state` by bytes. The seeds of a hunt's runs depend on it.
pub fn fold_str(state: u64, text: &str) -> u64 {
    text.bytes().fold(fold(state, text.len() as u64), |state, byte| fold(state, u64::from(byte)))
}

/// The seeds of the runs of one hunt in one cell.
#[derive(Clone, Copy, Debug)]
pub struct RunSeeds {
    hunt: u64,
    cell: u64,
}

impl RunSeeds {
    /// The seeds of a hunt with seed `hunt` in the cell named `cell`.
    pub fn new(hunt: u64, cell: &str) -> RunSeeds {
        RunSeeds { hunt, cell: mix(fold_str(mix(hunt ^ Purpose::Hunt.constant()), cell)) }
    }

    /// The seed of run number `index`. Number 0 has the hunt's seed itself, so that a hunt with a failing run's seed
    /// repeats that run first.
    pub fn of_run(self, index: u64) -> u64 {
        if index == 0 { self.hunt } else { mix(self.cell.wrapping_add(index)) }
    }
}

/// A choice of the environment, with the values that identify it within its run.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    /// The waiter that the n-th `notify_one` of a task wakes.
    Waiter {
        /// The key of the task that notifies.
        task: u64,
        /// Its own count of notifications.
        nth: u32,
    },
    /// Whether a writer that waits for a lock keeps further readers out.
    Writer {
        /// The lock's number in its run.
        lock: u32,
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
    /// The number of bytes that a read transfers at this position of a stream.
    Read {
        /// The connection's number.
        connection: u32,
        /// The end that reads.
        end: usize,
        /// Bytes read before.
        position: u64,
    },
    /// The number of bytes that a write transfers at this position of a stream.
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
            Choice::Writer { lock } => [4, u64::from(lock), 0, 0],
        }
    }

    /// One of `0..bound` in the run of this seed; 0 when `bound` is 0.
    pub fn below(self, seed: u64, bound: u64) -> u64 {
        let key = self.key().into_iter().fold(0, fold);
        scale(mix(Purpose::Environment.of(seed).wrapping_add(mix(key))), bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_in_one_substream_does_not_shift_another() {
        let untouched = Stream::new(7, Purpose::Plan).next_u64();
        let mut schedule = Stream::new(7, Purpose::Schedule);
        schedule.next_u64();
        assert_eq!(Stream::new(7, Purpose::Plan).next_u64(), untouched);
        assert_ne!(Stream::new(7, Purpose::Schedule).next_u64(), untouched);
    }

    #[test]
    fn the_stream_is_pinned() {
        // A token must mean the same after every change of the dependencies.
        let mut stream = Stream::new(1, Purpose::Schedule);
        let first: Vec<u64> = (0..3).map(|_| stream.below(1_000)).collect();
        assert_eq!(first, [661, 39, 471]);
    }

    #[test]
    fn a_name_is_folded_as_words_that_are_filled_with_zeros() {
        let text = "a name of more than two words";
        for len in 0..text.len() {
            let name = &text[..len];
            let mut words = name.as_bytes().to_vec();
            words.resize(8 * (len / 8 + 1), 0);
            let (words, _) = words.as_chunks::<8>();
            let folded = words.iter().fold(fold(7, len as u64), |state, word| fold(state, u64::from_le_bytes(*word)));
            assert_eq!(fold_name(7, name), folded, "{name:?}");
        }
    }

    #[test]
    fn below_stays_below() {
        let mut stream = Stream::new(3, Purpose::Model);
        assert!((0..1_000).all(|bound| stream.below(bound + 1) <= bound));
        assert_eq!(stream.below(0), 0);
    }

    #[test]
    fn runs_of_a_hunt_have_distinct_seeds() {
        let of_cell = RunSeeds::new(0, "cell");
        let mut seeds: Vec<u64> = (0..10_000).map(|index| of_cell.of_run(index)).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 10_000);
        assert_ne!(RunSeeds::new(0, "a").of_run(1), RunSeeds::new(0, "b").of_run(1));
        assert_eq!(RunSeeds::new(7, "a").of_run(0), 7);
    }
}
