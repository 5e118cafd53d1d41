//! Sets of tasks, as bits: the ready tasks, and the contenders of a lock.

use std::slice;

use crate::record::TaskId;

const BITS: usize = u64::BITS as usize;

/// A set of tasks, in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskSet {
    /// Tasks 0 to 63. Few runs have more tasks, so operations on these are the fast path.
    first: u64,
    /// The others, in words of 64.
    rest: Vec<u64>,
    /// The number of tasks, stored because counting bits is slow where the processor's instruction for it is not
    /// available.
    len: usize,
}

impl TaskSet {
    #[inline]
    pub(crate) fn insert(&mut self, task: TaskId) {
        let (word, bit) = (self.word_mut(task.index() / BITS), 1 << (task.index() % BITS));
        let is_new = *word & bit == 0;
        *word |= bit;
        self.len += usize::from(is_new);
    }

    #[inline]
    pub(crate) fn remove(&mut self, task: TaskId) {
        let (word, bit) = (self.word_mut(task.index() / BITS), 1 << (task.index() % BITS));
        let is_there = *word & bit != 0;
        *word &= !bit;
        self.len -= usize::from(is_there);
    }

    #[inline]
    pub(crate) fn contains(&self, task: TaskId) -> bool {
        let word = match task.index() / BITS {
            0 => self.first,
            index => self.rest.get(index - 1).copied().unwrap_or(0),
        };
        word & (1 << (task.index() % BITS)) != 0
    }

    #[inline]
    fn word_mut(&mut self, index: usize) -> &mut u64 {
        if index == 0 { &mut self.first } else { self.later_word_mut(index - 1) }
    }

    #[inline(never)]
    fn later_word_mut(&mut self, index: usize) -> &mut u64 {
        if self.rest.len() <= index {
            self.rest.resize(index + 1, 0);
        }
        &mut self.rest[index]
    }

    #[inline]
    pub(crate) fn add_all(&mut self, others: &TaskSet) {
        add(&mut self.first, others.first, &mut self.len);
        if !others.rest.is_empty() {
            self.add_rest(others);
        }
    }

    #[inline(never)]
    fn add_rest(&mut self, others: &TaskSet) {
        if self.rest.len() < others.rest.len() {
            self.rest.resize(others.rest.len(), 0);
        }
        self.rest.iter_mut().zip(&others.rest).for_each(|(word, other)| add(word, *other, &mut self.len));
    }

    #[inline]
    pub(crate) fn remove_all(&mut self, others: &TaskSet) {
        remove(&mut self.first, others.first, &mut self.len);
        if !others.rest.is_empty() {
            self.remove_rest(others);
        }
    }

    #[inline(never)]
    fn remove_rest(&mut self, others: &TaskSet) {
        self.rest.iter_mut().zip(&others.rest).for_each(|(word, other)| remove(word, *other, &mut self.len));
    }

    fn words(&self) -> impl Iterator<Item = u64> + '_ {
        std::iter::once(self.first).chain(self.rest.iter().copied())
    }

    pub(crate) fn clear(&mut self) {
        self.first = 0;
        self.rest.clear();
        self.len = 0;
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The `nth` task, counted from 0.
    #[inline]
    pub(crate) fn nth(&self, nth: usize) -> Option<TaskId> {
        if nth >= self.len {
            return None;
        }
        if self.rest.is_empty() { Some(TaskId(nth_bit(self.first, nth, self.len))) } else { self.nth_of_words(nth) }
    }

    #[inline(never)]
    fn nth_of_words(&self, mut nth: usize) -> Option<TaskId> {
        for (index, word) in self.words().enumerate() {
            let count = word.count_ones() as usize;
            if nth < count {
                return Some(TaskId((index * BITS) as u32 + nth_of_many(word, nth)));
            }
            nth -= count;
        }
        None
    }

    /// The number of tasks before `task`, if it is in the set.
    pub(crate) fn position(&self, task: TaskId) -> Option<usize> {
        if !self.contains(task) {
            return None;
        }
        let (index, bit) = (task.index() / BITS, task.index() % BITS);
        let count = |word: u64| word.count_ones() as usize;
        let before: usize = self.words().take(index).map(count).sum();
        self.words().nth(index).map(|word| before + count(word & ((1 << bit) - 1)))
    }

    #[inline]
    pub(crate) fn iter(&self) -> Tasks<'_> {
        Tasks { left: self.first, base: 0, rest: self.rest.iter() }
    }
}

/// The tasks of a set in the order of their numbers.
pub(crate) struct Tasks<'a> {
    /// The tasks of the current word that are still to come.
    left: u64,
    /// The number of the word's first task.
    base: u32,
    rest: slice::Iter<'a, u64>,
}

impl Iterator for Tasks<'_> {
    type Item = TaskId;

    #[inline]
    fn next(&mut self) -> Option<TaskId> {
        while self.left == 0 {
            self.left = *self.rest.next()?;
            self.base += BITS as u32;
        }
        let bit = self.left.trailing_zeros();
        self.left &= self.left - 1;
        Some(TaskId(self.base + bit))
    }
}

/// Adds the bits of `other`, and adds the number of new ones to `len`.
#[inline]
fn add(word: &mut u64, other: u64, len: &mut usize) {
    let new = other & !*word;
    if new != 0 {
        *word |= new;
        *len += new.count_ones() as usize;
    }
}

/// Removes the bits of `other`, and subtracts their number from `len`.
#[inline]
fn remove(word: &mut u64, other: u64, len: &mut usize) {
    let gone = other & *word;
    if gone != 0 {
        *word &= !gone;
        *len -= gone.count_ones() as usize;
    }
}

/// The position of the `nth` set bit, counted from 0. The bit must exist.
///
/// No branch depends on `nth`: the next task is random, so such a branch would be mispredicted half of the time.
#[inline]
fn nth_bit(word: u64, nth: usize, of: usize) -> u32 {
    if of <= FEW { nth_of_few(word, nth) } else { nth_of_many(word, nth) }
}

/// The most bits that are cleared one by one.
const FEW: usize = 4;

#[inline]
fn nth_of_few(mut word: u64, nth: usize) -> u32 {
    for step in 0..FEW - 1 {
        word &= word.wrapping_sub(u64::from(nth > step));
    }
    word.trailing_zeros()
}

/// Finds the byte by the number of bits up to its end, which one multiplication sums for all bytes at once, and the bit
/// in a table (Vigna, Broadword implementation of rank/select queries, WEA 2008, algorithm 2).
#[inline(never)]
fn nth_of_many(word: u64, nth: usize) -> u32 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let pairs = word - ((word >> 1) & (0x55 * EACH));
    let fours = (pairs & (0x33 * EACH)) + ((pairs >> 2) & (0x33 * EACH));
    let sums = ((fours + (fours >> 4)) & (0x0f * EACH)).wrapping_mul(EACH);
    // A byte's high bit stays set where its sum is at most `nth`: the bit lies after that byte.
    let before = (((nth as u64 * EACH) | HIGH) - sums) & HIGH;
    let byte = ((before >> 7).wrapping_mul(EACH) >> 56) * 8;
    let rank = nth as u64 - (((sums << 8) >> byte) & 0xff);
    let value = (word >> byte) & 0xff;
    byte as u32 + u32::from(NTH_OF_BYTE[(rank as usize & 7) << 8 | value as usize])
}

/// By number and byte: the position of that bit.
static NTH_OF_BYTE: [u8; 8 * 256] = nth_of_bytes();

const fn nth_of_bytes() -> [u8; 8 * 256] {
    let mut table = [0; 8 * 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut nth) = (0, 0);
        while bit < 8 {
            if byte & (1 << bit) != 0 {
                table[nth << 8 | byte] = bit as u8;
                nth += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
}

impl FromIterator<TaskId> for TaskSet {
    fn from_iter<I: IntoIterator<Item = TaskId>>(tasks: I) -> TaskSet {
        let mut set = TaskSet::default();
        tasks.into_iter().for_each(|task| set.insert(task));
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_of_tasks_is_a_set(numbers: Vec<u8>, others: Vec<u8>, absent: Vec<u8>) {
            let tasks = |numbers: &[u8]| -> BTreeSet<TaskId> { numbers.iter().map(|n| TaskId(u32::from(*n))).collect() };
            let mut known = tasks(&numbers);
            let mut set: TaskSet = known.iter().copied().collect();
            set.add_all(&tasks(&others).into_iter().collect());
            known.extend(tasks(&others));
            set.remove_all(&tasks(&absent).into_iter().collect());
            known.retain(|task| !tasks(&absent).contains(task));
            prop_assert!(set.iter().eq(known.iter().copied()), "in the order of their numbers, each once");
            prop_assert_eq!((set.len(), set.is_empty()), (known.len(), known.is_empty()));
            for (nth, task) in known.iter().enumerate() {
                prop_assert_eq!((set.nth(nth), set.position(*task)), (Some(*task), Some(nth)));
            }
            prop_assert_eq!(set.nth(known.len()), None);
            prop_assert!((0..=255).map(TaskId).all(|task| set.contains(task) == known.contains(&task)));
            if let Some(first) = known.first() {
                set.remove(*first);
                prop_assert!(!set.contains(*first) && set.len() == known.len() - 1);
            }
        }
    }
}
