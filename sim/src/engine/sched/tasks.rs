//! Sets of tasks, as bits: which are ready, which want a lock.

use smallvec::SmallVec;

use crate::op::TaskId;

const BITS: usize = u64::BITS as usize;

/// A set of tasks, in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TaskSet(SmallVec<[u64; 2]>);

impl TaskSet {
    pub(crate) fn insert(&mut self, task: TaskId) {
        let word = task.index() / BITS;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (task.index() % BITS);
    }

    pub(crate) fn remove(&mut self, task: TaskId) {
        if let Some(word) = self.0.get_mut(task.index() / BITS) {
            *word &= !(1 << (task.index() % BITS));
        }
    }

    pub(crate) fn contains(&self, task: TaskId) -> bool {
        self.0.get(task.index() / BITS).is_some_and(|word| word & (1 << (task.index() % BITS)) != 0)
    }

    pub(crate) fn add_all(&mut self, others: &TaskSet) {
        if self.0.len() < others.0.len() {
            self.0.resize(others.0.len(), 0);
        }
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            *word |= other;
        }
    }

    pub(crate) fn remove_all(&mut self, others: &TaskSet) {
        for (word, other) in self.0.iter_mut().zip(&others.0) {
            *word &= !other;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The `nth` task, counted from 0.
    pub(crate) fn nth(&self, mut nth: usize) -> Option<TaskId> {
        for (index, word) in self.0.iter().enumerate() {
            let count = word.count_ones() as usize;
            if nth < count {
                let mut word = *word;
                for _ in 0..nth {
                    // Clears the lowest bit.
                    word &= word - 1;
                }
                return Some(TaskId((index * BITS) as u32 + word.trailing_zeros()));
            }
            nth -= count;
        }
        None
    }

    /// How many tasks come before `task`, if it is in the set.
    pub(crate) fn position(&self, task: TaskId) -> Option<usize> {
        if !self.contains(task) {
            return None;
        }
        let (word, bit) = (task.index() / BITS, task.index() % BITS);
        let before: usize = self.0[..word].iter().map(|word| word.count_ones() as usize).sum();
        Some(before + (self.0[word] & ((1 << bit) - 1)).count_ones() as usize)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.0.iter().enumerate().flat_map(|(index, word)| {
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
