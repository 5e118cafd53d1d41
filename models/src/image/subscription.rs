//! `aeron_subscription_t`, the subscriber's side: polls and lookups.
//!
//! Every call loads the newest list (acquire), works on it, and at its end *proposes* that list's change number
//! (release): "I shall not read anything older". The proposal permits the conductor to prune older lists, and to drop
//! the base references of images that were removed before. The calling thread makes the promise, so it holds only if
//! that thread is the one that polls, and only if it is not in the middle of an older list.
//!
//! Upstream documents that a subscription is not thread-safe, but does not mention the conductor's callbacks, which get
//! the subscription as an argument, or handlers that look up an image.

use std::sync::Arc;

use lastref::cell::RaceCell;
use lastref::ledger::{Owner, Resource};
use lastref::property::sometimes;
use lastref::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use super::aeron_image::Image;
use super::conductor::CONDUCTOR;
use super::errno::Errno;
use super::image_list::ImageList;
use super::image_poll::{Handler, Poll};
use super::plan::Callback;
use super::variant::Variant;
use crate::kit::harness::{Unscheduled, impl_debug};

/// `aeron_subscription_t`.
pub struct Subscription {
    pub(super) variant: Variant,
    pub(super) registration_id: i64,
    pub(super) memory: Resource,
    /// `image_lists_head.next_list`: the index of the newest list.
    pub(super) image_lists_head: AtomicUsize,
    pub(super) next_change_number: RaceCell<i64>,
    pub(super) last_image_list_change_number: AtomicI64,
    round_robin_index: RaceCell<usize>,
    pub(super) is_closed: AtomicBool,
    pub(super) pending_close_action: AtomicBool,
    /// The number of the subscriber's calls that are reading a list.
    reading: RaceCell<u32>,
    /// The application's callback when an image becomes available or unavailable.
    pub(super) callback: Callback,
    /// The lists by index. Harness state: upstream uses pointers.
    lists: Unscheduled<Vec<Arc<ImageList>>>,
}

impl Subscription {
    /// `aeron_subscription_create`.
    pub(super) fn create(variant: Variant, registration_id: i64, callback: Callback) -> Arc<Subscription> {
        let subscription = Subscription {
            variant,
            registration_id,
            memory: Resource::acquire("aeron_subscription_t", CONDUCTOR),
            image_lists_head: AtomicUsize::named("image_lists_head", 0),
            next_change_number: RaceCell::named("next_change_number", 0),
            last_image_list_change_number: AtomicI64::named("last_image_list_change_number", -1),
            round_robin_index: RaceCell::named("round_robin_index", 0),
            is_closed: AtomicBool::named("aeron_subscription_t.is_closed", false),
            pending_close_action: AtomicBool::named("pending_close_action", false),
            reading: RaceCell::named("aeron_subscription_t.reading", 0),
            callback,
            lists: Unscheduled::new(Vec::new()),
        };
        subscription.keep(ImageList::alloc(Vec::new()));
        Arc::new(subscription)
    }

    /// The newest list, as a thread other than the conductor sees it.
    #[track_caller]
    pub(super) fn newest(&self, by: Owner) -> Arc<ImageList> {
        self.memory.touch(by);
        self.list(self.image_lists_head.load(Ordering::Acquire))
    }

    /// `aeron_subscription_poll` and `aeron_subscription_controlled_poll`.
    pub fn poll(&self, by: Owner, poll: Poll, handler: &mut Handler<'_>, fragment_limit: u32) -> u32 {
        let image_list = self.newest(by);
        let length = image_list.length(by);
        let mut starting_index = self.round_robin_index.get();
        self.round_robin_index.set(starting_index + 1);
        if starting_index >= length {
            starting_index = 0;
            self.round_robin_index.set(1);
        }
        self.enter(by);
        let mut fragments_read = 0;
        for index in (starting_index..length).chain(0..starting_index) {
            if fragments_read >= fragment_limit {
                break;
            }
            if let Some(image) = image_list.image(by, index) {
                fragments_read += image.poll(by, poll, handler, fragment_limit - fragments_read);
            }
        }
        self.leave(by);
        self.propose_last_image_change_number(by, image_list.change_number(by));
        fragments_read
    }

    /// `aeron_subscription_image_by_session_id`: the image is retained for `holder`.
    #[track_caller]
    pub fn image_by_session_id(&self, by: Owner, holder: Owner, session_id: i32) -> Option<Arc<Image>> {
        let image_list = self.newest(by);
        let length = image_list.length(by);
        let mut images = (0..length).filter_map(|index| image_list.image(by, index));
        let found = images.find(|image| image.constants(by).session_id == session_id);
        self.retained(by, holder, &image_list, found)
    }

    /// `aeron_subscription_image_at_index`: the image is retained for `holder`.
    pub fn image_at_index(&self, by: Owner, holder: Owner, index: usize) -> Option<Arc<Image>> {
        let image_list = self.newest(by);
        let found = if index < image_list.length(by) { image_list.image(by, index) } else { None };
        self.retained(by, holder, &image_list, found)
    }

    /// Retains the image that a lookup found in this list for `holder`.
    fn retained(&self, by: Owner, holder: Owner, list: &ImageList, found: Option<Arc<Image>>) -> Option<Arc<Image>> {
        if let Some(image) = &found {
            image.incr_refcnt(by, holder);
        }
        self.propose_last_image_change_number(by, list.change_number(by));
        found
    }

    /// `aeron_subscription_for_each_image`: each image is retained for `holder` while the handler has it.
    pub fn for_each_image(&self, by: Owner, holder: Owner, mut handler: impl FnMut(&Arc<Image>)) {
        let image_list = self.newest(by);
        self.enter(by);
        for index in 0..image_list.length(by) {
            if let Some(image) = image_list.image(by, index) {
                image.incr_refcnt(by, holder);
                handler(&image);
                image.decr_refcnt(by, holder);
            }
        }
        self.leave(by);
        self.propose_last_image_change_number(by, image_list.change_number(by));
    }

    /// `aeron_subscription_image_count`.
    pub fn image_count(&self, by: Owner) -> usize {
        let image_list = self.newest(by);
        let change_number = image_list.change_number(by);
        if by == CONDUCTOR && self.variant == Variant::PruneWhileLingering {
            // upstream: a777da4f. A callback reads the image count, and the lingering check treats this as the
            // subscriber's permission to prune the list that the subscriber is reading.
            self.raise_last_image_change_number(change_number);
        } else {
            self.propose_last_image_change_number(by, change_number);
        }
        image_list.length(by)
    }

    /// `aeron_subscription_is_connected`.
    #[track_caller]
    pub fn is_connected(&self, by: Owner) -> bool {
        let image_list = self.newest(by);
        let length = image_list.length(by);
        let mut images = (0..length).filter_map(|index| image_list.image(by, index));
        let result = images.any(|image| !image.is_closed(by));
        self.propose_last_image_change_number(by, image_list.change_number(by));
        result
    }

    /// `aeron_subscription_image_retain`, for `holder`.
    ///
    /// # Errors
    /// `EINVAL` if the image is not listed, in a variant that checks this.
    #[track_caller]
    pub fn image_retain(&self, by: Owner, image: &Arc<Image>, holder: Owner) -> Result<(), Errno> {
        self.before_count_changes(by, image)?;
        // Deviates: since c54c263d, upstream does nothing if the image is no longer listed, but the later release still
        // decrements (3c1984b6): a handle created in the unavailable callback then drops a reference that it never
        // took.
        let ask = self.variant == Variant::RetainRequiresMembership;
        if !ask || self.newest(by).contains(by, image) {
            image.incr_refcnt(by, holder);
        }
        Ok(())
    }

    /// `aeron_subscription_image_release`, for `holder`. Deviates: since c54c263d, upstream does nothing if the image
    /// is no longer listed; this is `aeron_image_release` with the arguments of the older call.
    ///
    /// # Errors
    /// `EINVAL` if the image is not listed, in a variant that checks this.
    #[track_caller]
    pub fn image_release(&self, by: Owner, image: &Arc<Image>, holder: Owner) -> Result<(), Errno> {
        self.before_count_changes(by, image)?;
        image.decr_refcnt(by, holder);
        Ok(())
    }

    /// The checks that retain and release made in some versions before they changed the count.
    #[track_caller]
    fn before_count_changes(&self, by: Owner, image: &Arc<Image>) -> Result<(), Errno> {
        if self.variant == Variant::ReleaseRequiresMembership && !self.newest(by).contains(by, image) {
            // upstream: 933d7aff, undone step by step in c54c263d and 3c1984b6.
            return Err(Errno::Inval);
        }
        if self.variant == Variant::ProposeFromConductor {
            // upstream: a777da4f, undone in ce89cea0. The wrapper calls this from the conductor's callbacks.
            let change_number = self.newest(by).change_number(by);
            self.raise_last_image_change_number(change_number);
        }
        Ok(())
    }

    /// `aeron_subscription_is_closed`.
    #[track_caller]
    pub fn is_closed(&self, by: Owner) -> bool {
        self.memory.touch(by);
        self.is_closed.load(Ordering::Acquire)
    }

    /// `aeron_subscription_last_image_list_change_number`.
    #[track_caller]
    pub fn last_image_list_change_number(&self, by: Owner) -> i64 {
        self.memory.touch(by);
        self.last_image_list_change_number.load(Ordering::Acquire)
    }

    /// `aeron_subscription_propose_last_image_change_number`.
    ///
    /// Deviates: upstream proposes on any thread and at any time. Here a proposal counts only on the subscriber's
    /// thread, since only that thread can promise it, and only while that thread reads no list.
    fn propose_last_image_change_number(&self, by: Owner, change_number: i64) {
        if by == CONDUCTOR {
            return;
        }
        if self.variant != Variant::ProposeInHandler && self.reading.get() > 0 {
            sometimes("a lookup inside a poll proposes nothing", true);
            return;
        }
        self.raise_last_image_change_number(change_number);
    }

    /// A relaxed load and a release store suffice: only one thread proposes.
    fn raise_last_image_change_number(&self, change_number: i64) {
        if change_number > self.last_image_list_change_number.load(Ordering::Relaxed) {
            self.last_image_list_change_number.store(change_number, Ordering::Release);
        }
    }

    fn enter(&self, by: Owner) {
        if by != CONDUCTOR {
            self.reading.with_mut(|reading| *reading += 1);
        }
    }

    fn leave(&self, by: Owner) {
        if by != CONDUCTOR {
            self.reading.with_mut(|reading| *reading -= 1);
        }
    }

    /// The list at an index.
    pub(super) fn list(&self, place: usize) -> Arc<ImageList> {
        Arc::clone(&self.lists.lock()[place])
    }

    /// Stores a list; returns its index.
    pub(super) fn keep(&self, list: ImageList) -> usize {
        let mut lists = self.lists.lock();
        lists.push(Arc::new(list));
        lists.len() - 1
    }
}

impl_debug!(Subscription { registration_id });
