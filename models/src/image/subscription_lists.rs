//! `aeron_subscription_t`, the conductor's side: it publishes and prunes image lists.

use std::sync::Arc;

use lastref::property::sometimes;
use lastref::sync::atomic::Ordering;

use super::aeron_image::Image;
use super::conductor::CONDUCTOR;
use super::image_list::ImageList;
use super::image_state::Event;
use super::subscription::Subscription;
use super::variant::Variant;

impl Subscription {
    /// `aeron_client_conductor_subscription_image_list`: a plain read, by the only thread that writes the head.
    pub(super) fn current_image_list(&self) -> Arc<ImageList> {
        self.memory.touch(CONDUCTOR);
        self.list(self.image_lists_head.load(Ordering::Relaxed))
    }

    /// `aeron_client_conductor_subscription_add_image`.
    pub(super) fn add_image(&self, image: &Arc<Image>) {
        let mut array = self.current_image_list().images(CONDUCTOR);
        array.push(Arc::clone(image));
        self.install_new_image_list(array);
    }

    /// `aeron_client_conductor_subscription_remove_image`.
    pub(super) fn remove_image(&self, image: &Arc<Image>) {
        let mut array = self.current_image_list().images(CONDUCTOR);
        array.retain(|other| !Arc::ptr_eq(other, image));
        let removal_change_number = self.next_change_number.get();
        image.conductor_fields.with_mut(|fields| fields.removal_change_number = removal_change_number);
        image.happened(Event::Unavailable);
        if self.variant != Variant::NoCloseOnRemove {
            // upstream: 848b3593. Before that, images were closed only with a client that was closed by force.
            image.close();
        }
        self.install_new_image_list(array);
    }

    /// `aeron_client_conductor_subscription_install_new_image_list`.
    fn install_new_image_list(&self, array: Vec<Arc<Image>>) {
        let image_list = ImageList::alloc(array);
        let change_number = self.next_change_number.get();
        self.next_change_number.set(change_number + 1);
        image_list.number(change_number, self.image_lists_head.load(Ordering::Relaxed));
        let place = self.keep(image_list);
        self.image_lists_head.store(place, Ordering::Release);
    }

    /// `aeron_client_conductor_subscription_prune_image_lists`. Returns the number of pruned lists.
    pub fn prune_image_lists(&self) -> u32 {
        let last_change_number = self.last_image_list_change_number(CONDUCTOR);
        let newest = self.current_image_list();
        let mut pruned_lists_count = 0;
        let mut prune_lists_head = newest;
        while let Some(place) = prune_lists_head.next_list.get() {
            let next_list = self.list(place);
            if next_list.change_number(CONDUCTOR) >= last_change_number {
                prune_lists_head = next_list;
            } else {
                prune_lists_head.next_list.set(next_list.next_list.get());
                next_list.free();
                pruned_lists_count += 1;
            }
        }
        sometimes("two image lists are pruned at once", pruned_lists_count > 1);
        pruned_lists_count
    }

    /// `aeron_subscription_delete`.
    pub(super) fn delete(&self) {
        let mut next = Some(self.image_lists_head.load(Ordering::Relaxed));
        while let Some(place) = next {
            let list = self.list(place);
            next = list.next_list.get();
            list.free();
        }
        self.memory.release(CONDUCTOR);
    }
}
