//! The C++ wrapper: `Image`, which is a reference, and the lookups of `Subscription`, which make one.
//!
//! A C lookup returns an image that is retained for the caller. The wrapper's `Image` retains in its constructor and
//! releases in its destructor. So an `Image` that is made from a lookup has two references, and one must be released on
//! every path: that is #1735.

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

/// `aeron::Image`. Dropped by [`ImageHandle::release`]: a handle that is forgotten is a leak, as it is in upstream's.
#[derive(Debug)]
#[must_use = "a handle has to be released"]
pub struct ImageHandle {
    image: Arc<Image>,
    subscription: Arc<Subscription>,
    owner: Owner,
    constants: Constants,
}

impl ImageHandle {
    /// `Image(subscription, image)`, which does not ask whether the retain succeeded.
    #[track_caller]
    fn new(by: Owner, shelf: &Shelf, subscription: &Arc<Subscription>, image: &Arc<Image>) -> ImageHandle {
        let constants = image.constants(by);
        let owner = Owner::new("handle", shelf.next());
        let _ = subscription.image_retain(by, image, owner);
        ImageHandle { image: Arc::clone(image), subscription: Arc::clone(subscription), owner, constants }
    }

    /// The image.
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// What the constructor noted.
    pub fn constants(&self) -> Constants {
        self.constants
    }

    /// `~Image`.
    #[track_caller]
    pub fn release(self, by: Owner) {
        // Deviates: upstream calls aeron_image_release, which has no subscription; so does this one, but in the
        // variants that have the call it replaced.
        let _ = self.subscription.image_release(by, &self.image, self.owner);
    }
}

/// A shelf on which threads of the application leave handles for other threads.
#[derive(Debug)]
pub struct Shelf {
    handles: Mutex<Vec<ImageHandle>>,
    /// Numbers handles and lookups. Harness state.
    numbers: AtomicU32,
}

impl Shelf {
    /// Nothing on it.
    pub(super) fn new() -> Arc<Shelf> {
        Arc::new(Shelf { handles: Mutex::named("shelf", Vec::new()), numbers: AtomicU32::new(0) })
    }

    /// Puts a handle on it.
    pub fn put(&self, handle: ImageHandle) {
        self.handles.lock().push(handle);
    }

    /// Takes all that is there.
    pub fn take(&self) -> Vec<ImageHandle> {
        std::mem::take(&mut *self.handles.lock())
    }

    fn next(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

/// Whether an `Image`'s constructor throws: its strings may find no memory.
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
    pub(super) shelf: Arc<Shelf>,
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

    /// `copyOfImageList`, which needs nothing given back: the C client keeps its reference for the time of the call
    /// only.
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
            // upstream: 2593db3e. The constructor has retained, and so had the lookup.
            self.give_back(by, image, lookup);
        }
        Ok(result)
    }

    /// Gives the lookup's reference back.
    #[track_caller]
    fn give_back(&self, by: Owner, image: &Arc<Image>, lookup: Owner) {
        // Deviates: upstream calls aeron_subscription_image_release, which since c54c263d does nothing once the image
        // is not listed any more; the conductor may remove it between the constructor and this line.
        let asks = self.subscription.variant == Variant::LookupReleaseRequiresMembership;
        if asks && !self.subscription.lists_image(by, image) {
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
