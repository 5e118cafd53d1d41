//! `aeron_image_t`: one subscription's view of one publisher's stream, reference-counted.
//!
//! The count starts at one: the conductor's *base* reference, which the conductor drops once the subscriber can no
//! longer find the image in a list. Every handle of the application holds one more. Dropping the last reference frees
//! nothing: only the conductor frees an image, when its lingering check reads a zero count. Subscriber and conductor
//! share `refcnt`, `is_closed` and, published by `is_closed`, the final positions of the stream.

use std::sync::Arc;

use lastref::cell::RaceCell;
use lastref::ledger::{Counted, Owner, Resource, Slot};
use lastref::property::always_with;
use lastref::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use lastref::trace::transition;

use super::conductor::CONDUCTOR;
use super::counters::Position;
use super::image_state::{Event, State, next};
use super::log_buffer::LogBuffer;
use super::variant::Variant;
use crate::kit::harness::impl_debug;
use crate::kit::machine::{States, Symbol};

/// `removal_change_number` of an image that is listed.
pub(super) const NOT_REMOVED: i64 = i64::MAX;
/// `removal_change_number` of an image whose base reference is dropped.
pub(super) const BASE_DROPPED: i64 = i64::MIN;

/// `aeron_image_key_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageKey {
    /// The id of the stream; a publisher that returns has another one.
    pub correlation_id: i64,
    /// The id of the subscription: one stream may match several.
    pub subscription_registration_id: i64,
}

/// `aeron_image_t`.
pub struct Image {
    pub(super) variant: Variant,
    /// The number of the image in its client; upstream uses its address.
    pub(super) number: u32,
    pub(super) key: ImageKey,
    /// The publisher.
    pub session_id: i32,
    pub(super) memory: Resource,
    /// Read on each release of a reference, written on the free: only the count orders these two accesses.
    lifetime: RaceCell<()>,
    /// The references with their holders; upstream has only the count.
    references: Counted,
    refcnt: AtomicI64,
    pub(super) log_buffer: Arc<LogBuffer>,
    pub(super) subscriber_position: Arc<Position>,
    is_closed: AtomicBool,
    ending: RaceCell<Ending>,
    /// Its subscription's `registration_id`, until the base reference is dropped.
    subscription: RaceCell<Option<i64>>,
    pub(super) conductor_fields: RaceCell<ConductorFields>,
    /// Announced once as available, then once as unavailable.
    pub(super) availability: Slot,
    /// The position of the next fragment that the application expects.
    pub(super) delivered: RaceCell<i64>,
}

/// The fields that `aeron_image_close` writes before it sets `is_closed`.
#[derive(Clone, Copy, Debug, Default)]
struct Ending {
    final_position: i64,
    eos_position: i64,
    is_eos: bool,
}

/// The fields that only the conductor reads and writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConductorFields {
    pub(super) removal_change_number: i64,
    pub(super) is_lingering: bool,
    pub(super) state: State,
}

impl Image {
    /// `aeron_image_create`.
    pub(super) fn create(
        variant: Variant,
        number: u32,
        (key, session_id): (ImageKey, i32),
        log_buffer: Arc<LogBuffer>,
        subscriber_position: Arc<Position>,
    ) -> Arc<Image> {
        let join_position = subscriber_position.get(CONDUCTOR);
        Arc::new(Image {
            variant,
            number,
            key,
            session_id,
            memory: Resource::acquire("aeron_image_t", CONDUCTOR),
            lifetime: RaceCell::named("aeron_image_t", ()),
            references: Counted::acquire("aeron_image_refcnt", CONDUCTOR),
            refcnt: AtomicI64::named("refcnt", 1),
            log_buffer,
            subscriber_position,
            is_closed: AtomicBool::named("is_closed", false),
            ending: RaceCell::named("aeron_image_t.final_position", Ending::default()),
            subscription: RaceCell::named("aeron_image_t.subscription", Some(key.subscription_registration_id)),
            conductor_fields: RaceCell::named(
                "aeron_image_t.removal_change_number",
                ConductorFields { removal_change_number: NOT_REMOVED, is_lingering: false, state: State::Listed },
            ),
            availability: Slot::new("availability", CONDUCTOR),
            delivered: RaceCell::named("aeron_image_t.delivered", join_position),
        })
    }

    /// The image as an owner: holder of a reference to its log buffer.
    pub(super) fn owner(&self) -> Owner {
        Owner::new("image", self.number)
    }

    /// `aeron_image_incr_refcnt`, for `holder`, called by `by`. Deviates: upstream returns the count, which no caller
    /// uses.
    #[track_caller]
    pub(super) fn incr_refcnt(&self, by: Owner, holder: Owner) {
        self.memory.touch(by);
        self.references.retain(holder);
        self.refcnt.fetch_add(1, Ordering::SeqCst);
    }

    /// `aeron_image_decr_refcnt`. Returns the new count. The caller must not use the image afterwards.
    #[track_caller]
    pub fn decr_refcnt(&self, by: Owner, holder: Owner) -> i64 {
        self.memory.touch(by);
        self.references.release(holder);
        self.lifetime.get();
        self.refcnt.fetch_sub(1, Ordering::SeqCst) - 1
    }

    /// `aeron_image_decr_refcnt` of the base reference, which the ledger keeps until `forget_base`: when a subscription
    /// is closed, the application is notified after this decrement, and the wrapper takes another reference during that
    /// call.
    #[track_caller]
    pub(super) fn decr_base_refcnt(&self) -> i64 {
        self.memory.touch(CONDUCTOR);
        self.refcnt.fetch_sub(1, Ordering::SeqCst) - 1
    }

    /// Removes the base reference from the ledger.
    #[track_caller]
    pub(super) fn forget_base(&self) {
        self.references.release(CONDUCTOR);
    }

    /// `aeron_image_refcnt_acquire`.
    #[track_caller]
    pub fn refcnt_acquire(&self, by: Owner) -> i64 {
        self.memory.touch(by);
        self.refcnt.load(Ordering::Acquire)
    }

    /// `aeron_image_is_closed`.
    #[track_caller]
    pub fn is_closed(&self, by: Owner) -> bool {
        self.memory.touch(by);
        self.is_closed.load(Ordering::Acquire)
    }

    /// `aeron_image_close`: the conductor stores the subscriber's final position, and polls stop reading.
    #[track_caller]
    pub fn close(&self) {
        self.memory.touch(CONDUCTOR);
        let eos_position = self.log_buffer.end_of_stream_position(CONDUCTOR);
        let final_position = self.subscriber_position.get_acquire(CONDUCTOR);
        let is_eos = final_position >= eos_position;
        self.ending.set(Ending { final_position, eos_position, is_eos });
        self.is_closed.store(true, Ordering::Release);
    }

    /// `aeron_image_position`.
    #[track_caller]
    pub fn position(&self, by: Owner) -> i64 {
        let access = self.subscriber_position.access();
        if self.is_closed(by) {
            drop(access);
            return self.ending.get().final_position;
        }
        self.subscriber_position.get(by)
    }

    /// `aeron_image_is_end_of_stream`.
    #[track_caller]
    pub fn is_end_of_stream(&self, by: Owner) -> bool {
        let access = self.subscriber_position.access();
        if self.is_closed(by) {
            drop(access);
            return self.ending.get().is_eos;
        }
        let eos_position = self.log_buffer.end_of_stream_position(by);
        self.subscriber_position.get_acquire(by) >= eos_position
    }

    /// `aeron_image_end_of_stream_position`.
    #[track_caller]
    pub fn end_of_stream_position(&self, by: Owner) -> i64 {
        if self.is_closed(by) { self.ending.get().eos_position } else { self.log_buffer.end_of_stream_position(by) }
    }

    /// `aeron_image_constants`, which also reads the pointer to the subscription.
    #[track_caller]
    pub fn constants(&self, by: Owner) -> Constants {
        self.memory.touch(by);
        Constants {
            subscription_registration_id: self.subscription.get(),
            correlation_id: self.key.correlation_id,
            session_id: self.session_id,
        }
    }

    /// The id of the subscription, read by the conductor.
    pub(super) fn subscription(&self) -> Option<i64> {
        self.memory.touch(CONDUCTOR);
        self.subscription.get()
    }

    /// Detaches the image: no list or subscription refers to it, and its base reference is dropped.
    pub(super) fn detach(&self, event: Event) {
        self.subscription.set(None);
        self.conductor_fields.with_mut(|fields| fields.removal_change_number = BASE_DROPPED);
        self.happened(event);
    }

    /// Moves the image to the state that follows from `event`.
    pub(super) fn happened(&self, event: Event) {
        let before = self.conductor_fields.get().state;
        match next(before, event, CONDUCTOR) {
            Ok(after) => {
                self.conductor_fields.with_mut(|fields| fields.state = after);
                transition(State::KIND, self.number, before.name(), after.name());
            }
            Err(illegal) => {
                let facts = || vec![("event", illegal.to_string())];
                always_with(State::RULE, false, facts);
            }
        }
    }

    /// `aeron_image_delete`.
    #[track_caller]
    pub(super) fn delete(&self) {
        self.availability.retire(CONDUCTOR);
        self.lifetime.set(());
        self.memory.release(CONDUCTOR);
    }

    /// Checks that the count and the ledger agree, when nothing else runs.
    pub(super) fn check_references(&self) {
        let refcnt = self.refcnt.load(Ordering::Acquire);
        if refcnt == 0 && self.references.holders().is_empty() {
            // Its last handle is released, and no lingering check has run since.
            return;
        }
        self.references.expect_count(u32::try_from(refcnt).unwrap_or(u32::MAX));
    }
}

/// `aeron_image_constants_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constants {
    /// The subscription; `None` for a detached image.
    pub subscription_registration_id: Option<i64>,
    /// The stream.
    pub correlation_id: i64,
    /// The publisher.
    pub session_id: i32,
}

impl_debug!(Image { number });
