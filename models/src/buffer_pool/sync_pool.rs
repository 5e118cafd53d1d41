//! `sync.Pool`: a shared, unordered set of free objects.
//!
//! It does not check identity: an object that is put twice is in the pool twice. The item that Get returns is
//! unspecified: each processor has a private slot and a LIFO list, and takes from other processors' lists when its own
//! is empty. So the pick is [`Pick::Lifo`], or random. A garbage collection drops the victim list and moves the pooled
//! items to it: an unused item survives one collection, but not two.

use lastref::random;
use lastref::sync::Mutex;
use serde::{Deserialize, Serialize};

/// Which item a Get returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pick {
    /// The one put last, as on one processor.
    Lifo,
    /// Any, as across processors.
    Any,
}

/// `sync.Pool` without its `New`: if Get returns nothing, the caller creates an object.
#[derive(Debug)]
pub(super) struct SyncPool<T> {
    pick: Pick,
    items: Mutex<Items<T>>,
}

#[derive(Debug)]
struct Items<T> {
    local: Vec<T>,
    victim: Vec<T>,
}

impl<T> SyncPool<T> {
    /// An empty pool; tables call it `name`.
    pub(super) fn new(name: &'static str, pick: Pick) -> SyncPool<T> {
        SyncPool { pick, items: Mutex::named(name, Items { local: Vec::new(), victim: Vec::new() }) }
    }

    /// `Get`.
    #[track_caller]
    pub(super) fn get(&self) -> Option<T> {
        let mut items = self.items.lock();
        let Items { local, victim } = &mut *items;
        let from = if local.is_empty() { victim } else { local };
        let last = from.len().checked_sub(1)?;
        let place = match self.pick {
            Pick::Lifo => last,
            Pick::Any => usize::try_from(random::below(from.len() as u64)).map_or(last, |place| place.min(last)),
        };
        Some(from.remove(place))
    }

    /// `Put`.
    #[track_caller]
    pub(super) fn put(&self, item: T) {
        self.items.lock().local.push(item);
    }

    /// The pool's part of a garbage collection; returns the number of items that it drops.
    pub(super) fn collect(&self) -> usize {
        let mut items = self.items.lock();
        let local = std::mem::take(&mut items.local);
        std::mem::replace(&mut items.victim, local).len()
    }

    /// The number of items for which `is` returns true. For checks.
    pub(super) fn count(&self, is: impl Fn(&T) -> bool) -> usize {
        let items = self.items.lock();
        items.local.iter().chain(&items.victim).filter(|item| is(item)).count()
    }

    /// The items, the victims last. For checks.
    pub(super) fn items(&self) -> Vec<T>
    where
        T: Clone,
    {
        let items = self.items.lock();
        items.local.iter().chain(&items.victim).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_put_is_the_first_one_got_and_twice_put_is_twice_got() {
        let pool = SyncPool::new("pool", Pick::Lifo);
        [1, 2, 2].into_iter().for_each(|item| pool.put(item));
        assert_eq!((pool.get(), pool.get(), pool.get(), pool.get()), (Some(2), Some(2), Some(1), None));
    }

    #[test]
    fn an_item_survives_one_collection_and_not_two() {
        let pool = SyncPool::new("pool", Pick::Lifo);
        pool.put(1);
        pool.put(2);
        assert_eq!(pool.collect(), 0);
        assert_eq!(pool.get(), Some(2));
        assert_eq!(pool.collect(), 1);
        assert_eq!(pool.get(), None);
    }
}
