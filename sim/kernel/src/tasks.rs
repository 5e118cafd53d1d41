//! Sets of tasks, as bits: the ready tasks, and the contenders of a lock.

use smallvec::SmallVec;

use crate::record::TaskId;

const BITS: usize = u64::BITS as usize;

/// A set of tasks, in the order of their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskSet {
    words: SmallVec<[u64; 2]>,
    /// The number of tasks: counting bits is slow where the processor's own instruction may not be used.
    len: usize,
}

impl TaskSet {
    #[inline]
    pub(crate) fn insert(&mut self, task: TaskId) {
        let (word, bit) = (task.index() / BITS, 1 << (task.index() % BITS));
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.len += usize::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    #[inline]
    pub(crate) fn remove(&mut self, task: TaskId) {
        let (word, bit) = (task.index() / BITS, 1 << (task.index() % BITS));
        if let Some(word) = self.words.get_mut(word) {
            self.len -= usize::from(*word & bit != 0);
            *word &= !bit;
        }
    }

    #[inline]
    pub(crate) fn contains(&self, task: TaskId) -> bool {
        self.words.get(task.index() / BITS).is_some_and(|word| word & (1 << (task.index() % BITS)) != 0)
    }

    pub(crate) fn add_all(&mut self, others: &TaskSet) {
        if self.words.len() < others.words.len() {
            self.words.resize(others.words.len(), 0);
        }
        for (word, other) in self.words.iter_mut().zip(&others.words) {
            self.len += (other & !*word).count_ones() as usize;
            *word |= other;
        }
    }

    pub(crate) fn remove_all(&mut self, others: &TaskSet) {
        for (word, other) in self.words.iter_mut().zip(&others.words) {
            self.len -= (*word & other).count_ones() as usize;
            *word &= !other;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.words.clear();
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
    pub(crate) fn nth(&self, mut nth: usize) -> Option<TaskId> {
        if nth >= self.len {
            return None;
        }
        let mut index = 0;
        if self.words.len() > 1 {
            loop {
                let count = self.words[index].count_ones() as usize;
                if nth < count {
                    break;
                }
                nth -= count;
                index += 1;
            }
        }
        let mut word = self.words[index];
        // Clears the lowest bit `nth` times. The first three without a branch: which task is next is random, and a
        // branch on it would be predicted wrongly half of the time.
        for step in 0..3 {
            word &= word.wrapping_sub(u64::from(nth > step));
        }
        for _ in 3..nth {
            word &= word - 1;
        }
        Some(TaskId((index * BITS) as u32 + word.trailing_zeros()))
    }

    /// The number of tasks before `task`, if it is in the set.
    pub(crate) fn position(&self, task: TaskId) -> Option<usize> {
        if !self.contains(task) {
            return None;
        }
        let (word, bit) = (task.index() / BITS, task.index() % BITS);
        let before: usize = self.words[..word].iter().map(|word| word.count_ones() as usize).sum();
        Some(before + (self.words[word] & ((1 << bit) - 1)).count_ones() as usize)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(TaskId((index * BITS) as u32 + bit))
            })
        })
    }
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
