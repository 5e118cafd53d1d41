//! `aeron_image_list_t`: the images of a subscription at one moment, immutable once published.
//!
//! For each image that is added or removed, the conductor creates a new list, gives it the next change number and makes
//! it the head of the chain of lists. The subscriber reads the head. The conductor prunes a list when the subscriber
//! has proposed a newer change number.

use std::sync::Arc;

use lastref::cell::RaceCell;
use lastref::ledger::{Owner, Resource};
use lastref::property::always;

use super::aeron_image::Image;
use super::conductor::CONDUCTOR;

/// A list.
#[derive(Debug)]
pub(super) struct ImageList {
    memory: Resource,
    contents: RaceCell<Contents>,
    /// The index of the next older list. Only the conductor uses it.
    pub(super) next_list: RaceCell<Option<usize>>,
}

#[derive(Debug)]
struct Contents {
    change_number: i64,
    array: Vec<Arc<Image>>,
}

impl ImageList {
    /// `aeron_subscription_alloc_image_list`, with the array filled.
    pub(super) fn alloc(array: Vec<Arc<Image>>) -> ImageList {
        ImageList {
            memory: Resource::acquire("aeron_image_list_t", CONDUCTOR),
            contents: RaceCell::named("aeron_image_list_t.array", Contents { change_number: -1, array }),
            next_list: RaceCell::named("aeron_image_list_t.next_list", None),
        }
    }

    /// Numbers the list and links it to the older ones, before it is published.
    pub(super) fn number(&self, change_number: i64, next_list: usize) {
        self.contents.with_mut(|contents| contents.change_number = change_number);
        self.next_list.set(Some(next_list));
    }

    #[track_caller]
    pub(super) fn change_number(&self, by: Owner) -> i64 {
        self.memory.touch(by);
        self.contents.with(|contents| contents.change_number)
    }

    #[track_caller]
    pub(super) fn length(&self, by: Owner) -> usize {
        self.memory.touch(by);
        self.contents.with(|contents| contents.array.len())
    }

    /// `array[index]`, which C reads without a bounds check.
    #[track_caller]
    pub(super) fn image(&self, by: Owner, index: usize) -> Option<Arc<Image>> {
        self.memory.touch(by);
        let image = self.contents.with(|contents| contents.array.get(index).map(Arc::clone));
        always("an image list is read within its length", image.is_some());
        image
    }

    /// The whole array.
    #[track_caller]
    pub(super) fn images(&self, by: Owner) -> Vec<Arc<Image>> {
        self.memory.touch(by);
        self.contents.with(|contents| contents.array.clone())
    }

    /// Whether `aeron_subscription_find_image_index` finds the image.
    #[track_caller]
    pub(super) fn contains(&self, by: Owner, image: &Arc<Image>) -> bool {
        self.memory.touch(by);
        self.contents.with(|contents| contents.array.iter().any(|other| Arc::ptr_eq(other, image)))
    }

    /// `aeron_free`.
    #[track_caller]
    pub(super) fn free(&self) {
        self.memory.release(CONDUCTOR);
    }
}
