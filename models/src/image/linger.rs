//! Lingering images, which the driver has ended and the application may still use.
//!
//! Two kinds of reference keep a removed image alive. The conductor holds its *base reference* until the subscriber has
//! proposed a list without the image, so that a poll in the middle of an older list is safe without a reference. The
//! application holds its *handles* as long as it needs them. There is no timeout: a subscriber that stops using its
//! subscription keeps every image removed since then, with its mapping, until the subscription is closed.

use std::sync::Arc;

use lastref::property::{always, always_with, sometimes};
use lastref::sync::atomic::Ordering;

use super::aeron_image::{BASE_DROPPED, Image};
use super::conductor::{CONDUCTOR, Conductor};
use super::image_state::Event;
use super::subscription::Subscription;
use super::variant::Variant;

impl Conductor {
    /// `aeron_client_conductor_linger_image`.
    pub(super) fn linger_image(&mut self, image: &Arc<Image>) {
        image.conductor_fields.with_mut(|fields| fields.is_lingering = true);
        self.lingering_resources.push(Arc::clone(image));
    }

    /// `aeron_client_conductor_check_lingering_resources`.
    pub(super) fn check_lingering_resources(&mut self) -> u32 {
        let mut work_count = 0;
        let mut length = self.lingering_resources.len();
        let mut last_index = length.wrapping_sub(1);
        for index in (0..self.lingering_resources.len()).rev() {
            let image = Arc::clone(&self.lingering_resources[index]);
            self.drop_base_if_unused(&image);
            if image.refcnt_acquire(CONDUCTOR) <= 0 {
                self.free(&image, Event::Unreferenced);
                // upstream: aeron_arrayutil.h aeron_array_fast_unordered_remove
                self.lingering_resources[index] = Arc::clone(&self.lingering_resources[last_index]);
                length -= 1;
                if self.variant != Variant::StaleLastIndex {
                    // upstream: #1728. The last element changes with each removal.
                    last_index = last_index.wrapping_sub(1);
                }
                work_count += 1;
            }
        }
        self.lingering_resources.truncate(length);
        sometimes("two images are freed in one lingering check", work_count > 1);
        work_count
    }

    /// Drops the base reference of an image that is in no list in use.
    fn drop_base_if_unused(&self, image: &Arc<Image>) {
        image.memory.touch(CONDUCTOR);
        let removal_change_number = image.conductor_fields.get().removal_change_number;
        if removal_change_number == BASE_DROPPED {
            return;
        }
        let subscription = image.subscription().and_then(|id| self.resource_by_id_map.get(&id));
        let Some(subscription) = subscription else {
            always("a lingering image with its base reference has its subscription", false);
            return;
        };
        // upstream: aeron_image.h aeron_image_is_in_use_by_subscription
        if removal_change_number > subscription.last_image_list_change_number(CONDUCTOR) {
            sometimes("an image lingers because its subscriber has not moved on", true);
            return;
        }
        subscription.prune_image_lists();
        image.detach(Event::MovedOn);
        if image.decr_refcnt(CONDUCTOR, CONDUCTOR) > 0 {
            sometimes("an image lingers because a handle is left", true);
        }
    }

    /// Unmaps and deletes an image.
    fn free(&mut self, image: &Arc<Image>, event: Event) {
        self.log_buffers.release(&image.log_buffer, image.owner());
        image.happened(event);
        image.delete();
    }

    /// `aeron_client_conductor_close_subscription`.
    pub(super) fn close_subscription(&mut self, subscription: &Arc<Subscription>) {
        self.resource_by_id_map.remove(&subscription.registration_id);
        self.client.remove_subscription(subscription.registration_id);
        self.linger_or_delete_all_images(subscription);
        subscription.delete();
    }

    /// `aeron_client_conductor_linger_or_delete_all_images`.
    fn linger_or_delete_all_images(&mut self, subscription: &Arc<Subscription>) {
        for image in subscription.current_image_list().images(CONDUCTOR) {
            let refcnt = image.decr_base_refcnt();
            self.image_by_key_map.remove(&image.key);
            let held = refcnt > 0;
            sometimes("a subscription is closed while a handle to its image is left", held);
            // Deviates: upstream closes and announces only images that it deletes at once (512660e2). A lingering image
            // stays open to polls, which store into a counter that the driver has freed, and the application is never
            // notified.
            if !held || self.variant != Variant::CloseSkipsHeldImages {
                image.close();
                self.wrap(subscription).on_unavailable_image(&image);
            }
            // Deviates: upstream decides before the handler, which may have taken a handle.
            let is_kept = image.refcnt_acquire(CONDUCTOR) > 0 && self.variant != Variant::CloseCountsBeforeHandler;
            sometimes("the last handler of an image keeps a handle", is_kept && !held);
            let held = held || is_kept;
            image.subscriber_position.handled();
            image.forget_base();
            if held {
                self.linger_image(&image);
            }
            // Deviates: upstream does not mark a lingering image here, and drops its base reference a second time
            // below.
            if !held || self.variant != Variant::CloseDropsBaseTwice {
                image.detach(Event::SubscriptionClosed);
            }
            if !held {
                self.free(&image, Event::Unreferenced);
            }
        }
        for image in &self.lingering_resources {
            let ours = image.subscription() == Some(subscription.registration_id);
            if ours && image.conductor_fields.get().removal_change_number != BASE_DROPPED {
                image.decr_refcnt(CONDUCTOR, CONDUCTOR);
                image.detach(Event::SubscriptionClosed);
            }
        }
    }

    /// `aeron_client_conductor_check_resources_pending_close_action`.
    pub(super) fn check_resources_pending_close_action(&mut self) -> u32 {
        let pending = |subscription: &&Arc<Subscription>| subscription.pending_close_action.load(Ordering::Acquire);
        let pending: Vec<Arc<Subscription>> = self.resource_by_id_map.values().filter(pending).cloned().collect();
        for subscription in &pending {
            sometimes("a close waits for room in the command ring", true);
            self.close_subscription(subscription);
        }
        u32::try_from(pending.len()).unwrap_or(u32::MAX)
    }

    /// Checks that no image is left, once every stream has ended, every subscriber has moved on and every handle is
    /// dropped.
    pub fn check_reclaimed(&self) {
        for image in &self.lingering_resources {
            let refcnt = image.refcnt_acquire(CONDUCTOR);
            always_with("an image without holders is freed", false, || {
                vec![("image", image.owner().to_string()), ("refcnt", refcnt.to_string())]
            });
        }
        always("no image is left when every stream is gone", self.image_by_key_map.is_empty());
        always("a log buffer is freed with its last image", self.log_buffers.is_empty());
    }

    /// Checks the reference count of every image, when nothing else runs.
    pub fn check_references(&self) {
        for image in self.image_by_key_map.values().chain(&self.lingering_resources) {
            image.check_references();
        }
    }
}
