//! The C++ wrapper: `Image`, which holds a reference, and the lookups of `Subscription`, which return one.
//!
//! A C lookup returns an image that is retained for the caller. The wrapper's `Image` retains in its constructor and
//! releases in its destructor. So an `Image` created from a lookup has two references, and every path must release one
//! of them (#1735).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use lastref::ledger::Owner;
use lastref::property::sometimes;
use lastref::sync::Mutex;

use super::aeron_image::{Constants, Image};
use super::conductor::CONDUCTOR;
use super::errno::Errno;
use super::plan::Callback;
use super::subscription::Subscription;
use super::variant::Variant;

/// `aeron::Image`. Destroyed by [`ImageHandle::release`]: a handle that is not released is a leak.
#[derive(Debug)]
#[must_use = "a handle has to be released"]
pub struct ImageHandle {
    image: Arc<Image>,
    subscription: Arc<Subscription>,
    owner: Owner,
    constants: Constants,
}

impl ImageHandle {
    /// `Image(subscription, image)`, which does not check whether the retain succeeded.
    #[track_caller]
    fn new(by: Owner, shelf: &SharedHandles, subscription: &Arc<Subscription>, image: &Arc<Image>) -> ImageHandle {
        let constants = image.constants(by);
        let owner = Owner::new("handle", shelf.next());
        let _ = subscription.image_retain(by, image, owner);
        ImageHandle { image: Arc::clone(image), subscription: Arc::clone(subscription), owner, constants }
    }

    /// The image.
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// The constants that the constructor has read.
    pub fn constants(&self) -> Constants {
        self.constants
    }

    /// `~Image`.
    #[track_caller]
    pub fn release(self, by: Owner) {
        // Deviates: upstream calls aeron_image_release, which takes no subscription. This call does the same, except in
        // the variants that have the older call.
        let _ = self.subscription.image_release(by, &self.image, self.owner);
    }
}

/// The handles that threads of the application leave for other threads.
#[derive(Debug)]
pub struct SharedHandles {
    handles: Mutex<Vec<ImageHandle>>,
    /// Numbers handles and lookups. Harness state.
    numbers: AtomicU32,
}

impl SharedHandles {
    /// An empty shelf.
    pub fn new() -> Arc<SharedHandles> {
        Arc::new(SharedHandles { handles: Mutex::named("shelf", Vec::new()), numbers: AtomicU32::new(0) })
    }

    /// Adds a handle.
    pub fn put(&self, handle: ImageHandle) {
        self.handles.lock().push(handle);
    }

    /// Takes all handles.
    pub fn take(&self) -> Vec<ImageHandle> {
        std::mem::take(&mut *self.handles.lock())
    }

    fn next(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

/// Whether the constructor of `Image` throws, because it has no memory for its strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constructor {
    /// It succeeds.
    Succeeds,
    /// It throws before it has retained the image.
    Throws,
}

/// `aeron::Subscription`.
#[derive(Clone, Debug)]
pub struct SubscriptionWrapper {
    pub(super) subscription: Arc<Subscription>,
    pub(super) shelf: Arc<SharedHandles>,
}

impl SubscriptionWrapper {
    /// The C subscription.
    pub fn subscription(&self) -> &Arc<Subscription> {
        &self.subscription
    }

    /// `imageBySessionId`. None if there is no such image.
    ///
    /// # Errors
    /// If the constructor throws.
    #[track_caller]
    pub fn image_by_session_id(
        &self,
        by: Owner,
        session: i32,
        ctor: Constructor,
    ) -> Result<Option<ImageHandle>, Errno> {
        let lookup = Owner::new("lookup", self.shelf.next());
        let image = self.subscription.image_by_session_id(by, lookup, session);
        image.map(|image| self.create_image(by, &image, lookup, ctor)).transpose()
    }

    /// `imageByIndex`. None where upstream throws `std::logic_error`.
    ///
    /// # Errors
    /// If the constructor throws.
    #[track_caller]
    pub fn image_by_index(&self, by: Owner, index: usize) -> Result<Option<ImageHandle>, Errno> {
        let lookup = Owner::new("lookup", self.shelf.next());
        let image = self.subscription.image_at_index(by, lookup, index);
        image.map(|image| self.create_image(by, &image, lookup, Constructor::Succeeds)).transpose()
    }

    /// `copyOfImageList`, which has no lookup's reference to release: the C client holds its own only during the call.
    #[track_caller]
    pub fn copy_of_image_list(&self, by: Owner) -> Vec<ImageHandle> {
        let mut images = Vec::new();
        let lookup = Owner::new("for_each", self.shelf.next());
        self.subscription.for_each_image(by, lookup, |image| {
            images.push(ImageHandle::new(by, &self.shelf, &self.subscription, image));
        });
        images
    }

    /// `createImage`.
    fn create_image(
        &self,
        by: Owner,
        image: &Arc<Image>,
        lookup: Owner,
        ctor: Constructor,
    ) -> Result<ImageHandle, Errno> {
        if ctor == Constructor::Throws {
            if self.subscription.variant != Variant::ThrowKeepsLookup {
                self.give_back(by, image, lookup);
            }
            return Err(Errno::Thrown);
        }
        let result = ImageHandle::new(by, &self.shelf, &self.subscription, image);
        if self.subscription.variant != Variant::LookupDoubleRetain {
            // upstream: 2593db3e. The constructor has retained the image, and so has the lookup.
            self.give_back(by, image, lookup);
        }
        Ok(result)
    }

    /// Releases the lookup's reference.
    #[track_caller]
    fn give_back(&self, by: Owner, image: &Arc<Image>, lookup: Owner) {
        // Deviates: upstream calls aeron_subscription_image_release, which since c54c263d does nothing if the image is
        // no longer listed. The conductor may remove it between the constructor and this line.
        let asks = self.subscription.variant == Variant::LookupReleaseRequiresMembership;
        if asks && !self.subscription.newest(by).contains(by, image) {
            return;
        }
        let _ = self.subscription.image_release(by, image, lookup);
    }

    /// `onAvailableImageCallback`, on the conductor's thread.
    pub(super) fn on_available_image(&self, image: &Arc<Image>) {
        image.availability.begin(CONDUCTOR);
        if self.subscription.callback == Callback::Keeping {
            self.shelf.put(ImageHandle::new(CONDUCTOR, &self.shelf, &self.subscription, image));
        }
        self.on_image(image);
    }

    /// `onUnavailableImageCallback`, on the conductor's thread. The image is not listed any more.
    pub(super) fn on_unavailable_image(&self, image: &Arc<Image>) {
        image.availability.complete(CONDUCTOR);
        if self.subscription.callback == Callback::KeepingLast {
            self.shelf.put(ImageHandle::new(CONDUCTOR, &self.shelf, &self.subscription, image));
        }
        self.on_image(image);
    }

    fn on_image(&self, image: &Arc<Image>) {
        if self.subscription.callback == Callback::None {
            return;
        }
        let handle = ImageHandle::new(CONDUCTOR, &self.shelf, &self.subscription, image);
        if self.subscription.callback == Callback::Counting {
            sometimes("a callback asks for the image count", self.subscription.image_count(CONDUCTOR) > 0);
        }
        handle.release(CONDUCTOR);
    }
}
