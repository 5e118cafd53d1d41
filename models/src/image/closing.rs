//! The end of a client: by force, when it or its driver has failed, and by `aeron_close`.
//!
//! A client that fails marks everything closed and does nothing more; the memory stays, for threads that still poll,
//! until the application calls `aeron_close`. That call deletes everything without checking for holders: the
//! application must have ended its polls and dropped its handles before.

use std::sync::Arc;

use lastref::property::sometimes;
use lastref::sync::atomic::Ordering;

use super::aeron_image::Image;
use super::conductor::{CONDUCTOR, Conductor};
use super::image_state::Event;

impl Conductor {
    /// `aeron_client_conductor_force_close_resources`.
    pub(super) fn force_close_resources(&mut self) {
        self.client.is_closed.store(true, Ordering::Release);
        sometimes("a client is closed by force while images are listed", !self.image_by_key_map.is_empty());
        sometimes("a client is closed by force while images linger", !self.lingering_resources.is_empty());
        for image in self.image_by_key_map.values() {
            image.close();
        }
        for subscription in self.resource_by_id_map.values() {
            subscription.is_closed.store(true, Ordering::Release);
        }
    }

    /// `aeron_client_conductor_on_close`, on the closing thread, after the conductor's thread has ended.
    pub fn on_close(mut self) {
        for subscription in std::mem::take(&mut self.resource_by_id_map).into_values() {
            subscription.delete();
        }
        self.log_buffers.delete_all();
        let images = std::mem::take(&mut self.image_by_key_map).into_values();
        for image in images.chain(std::mem::take(&mut self.lingering_resources)) {
            delete_image(&image);
        }
    }
}

/// `aeron_client_conductor_delete_image`, and `aeron_client_conductor_delete_lingering_resource`.
fn delete_image(image: &Arc<Image>) {
    if image.conductor_fields.get().state.has_base() {
        image.forget_base();
    }
    // An image that lingers was announced as unavailable before; one that ends with its client is not announced.
    if !image.conductor_fields.get().is_lingering {
        image.availability.complete(CONDUCTOR);
    }
    image.happened(Event::ClientClosed);
    image.delete();
}
