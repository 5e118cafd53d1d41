//! Sets of tasks, as bits: the ready tasks, and the contenders of a lock.

use crate::record::TaskId;

const BITS: usize = u64::BITS as usize;

/// A set of tasks, in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskSet {
    /// Tasks 0 to 63. Few runs have others, so each operation is short for these.
    first: u64,
    /// The others, in words of 64.
    rest: Vec<u64>,
    /// The number of tasks: counting bits is slow where the processor's own instruction may not be used.
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

    pub(crate) fn add_all(&mut self, others: &TaskSet) {
        if self.rest.len() < others.rest.len() {
            self.rest.resize(others.rest.len(), 0);
        }
        let TaskSet { first, rest, len } = self;
        let mut add = |word: &mut u64, other: u64| {
            let new = other & !*word;
            if new != 0 {
                *word |= new;
                *len += new.count_ones() as usize;
            }
        };
        add(first, others.first);
        rest.iter_mut().zip(&others.rest).for_each(|(word, other)| add(word, *other));
    }

    pub(crate) fn remove_all(&mut self, others: &TaskSet) {
        let TaskSet { first, rest, len } = self;
        let mut remove = |word: &mut u64, other: u64| {
            let gone = other & *word;
            if gone != 0 {
                *word &= !gone;
                *len -= gone.count_ones() as usize;
            }
        };
        remove(first, others.first);
        rest.iter_mut().zip(&others.rest).for_each(|(word, other)| remove(word, *other));
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
        if self.rest.is_empty() { Some(TaskId(nth_bit(self.first, nth))) } else { self.nth_of_many(nth) }
    }

    #[inline(never)]
    fn nth_of_many(&self, mut nth: usize) -> Option<TaskId> {
        for (index, word) in self.words().enumerate() {
            let count = word.count_ones() as usize;
            if nth < count {
                return Some(TaskId((index * BITS) as u32 + nth_bit(word, nth)));
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

    pub(crate) fn iter(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.words().enumerate().flat_map(|(index, word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(TaskId((index * BITS) as u32 + bit))
            })
        })
    }
}

/// The place of the `nth` bit that is set, counted from 0; there must be one.
#[inline]
fn nth_bit(word: u64, nth: usize) -> u32 {
    if nth < FEW { nth_of_few(word, nth) } else { nth_of_half(word, nth) }
}

/// Bits that are cleared one by one; counting those of half a word costs about as much.
const FEW: usize = 12;

/// Looks in the half of the word that has the bit.
#[inline(never)]
fn nth_of_half(word: u64, nth: usize) -> u32 {
    let low = word & u64::from(u32::MAX);
    let count = low.count_ones() as usize;
    if nth < count { nth_of_few(low, nth) } else { 32 + nth_of_few(word >> 32, nth - count) }
}

#[inline]
fn nth_of_few(mut word: u64, nth: usize) -> u32 {
    // Clears the lowest bit `nth` times. The first three without a branch: which task is next is random, and a branch
    // on it would be predicted wrongly half of the time.
    for step in 0..3 {
        word &= word.wrapping_sub(u64::from(nth > step));
    }
    for _ in 3..nth {
        word &= word - 1;
    }
    word.trailing_zeros()
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
            prop_assert_eq!(set.iter().collect::<BTreeSet<_>>(), known.clone());
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
