//! The variants: the fixed client, and one planted defect each.
//!
//! The model is aeron at 63c11a69 (2026-08) with repairs of the bugs that are open there. Each repair is marked
//! `Deviates:`, and one variant undoes it.

/// The defect, if any. Variants up to [`Variant::StaleLastIndex`] were reported or repaired upstream; those after it
/// were found by reading the source and are not reported. [`Variant::CloseDuringPoll`] is a bug of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Variant {
    /// No defect.
    Fixed,
    /// The wrapper retains an image that its lookup has retained already (aeron #1735, before 2593db3e).
    LookupDoubleRetain,
    /// Retain and release fail for an image that is not listed any more (933d7aff; aeron #1874).
    ReleaseRequiresMembership,
    /// Retain and release propose the newest list, on any thread (a777da4f, before ce89cea0).
    ProposeFromConductor,
    /// `image_count` proposes on any thread, and the lingering check prunes at once (a777da4f; aeron
    /// #1764, #1752).
    PruneWhileLingering,
    /// An image that is removed from its subscription is not closed (before 848b3593).
    NoCloseOnRemove,
    /// A poll stores the position of an image that was closed meanwhile (before a5892881, aeron #1998).
    PositionStoreAfterClose,
    /// A poll does not check, between two fragments, whether its image was closed (before 35cda530, aeron #1675).
    PollIgnoresClose,
    /// The lingering check removes two images, and moves the same last element into both slots (aeron #1728).
    StaleLastIndex,
    /// Retain does nothing for an image that is not listed any more, while release always does (3c1984b6).
    RetainRequiresMembership,
    /// The wrapper releases its lookup's reference with a call that does nothing once the image is not listed.
    LookupReleaseRequiresMembership,
    /// The wrapper throws after the lookup, before it takes its own reference, and the lookup's reference is never
    /// released (2593db3e).
    ThrowKeepsLookup,
    /// Closing a subscription drops the base reference of an image with handles twice.
    CloseDropsBaseTwice,
    /// Closing a subscription neither closes nor announces an image with handles.
    CloseSkipsHeldImages,
    /// Closing a subscription decides which images have handles before its handler of unavailable images, which may
    /// take one.
    CloseCountsBeforeHandler,
    /// A lookup inside a fragment handler proposes the newest list while the surrounding poll still reads an older one.
    ProposeInHandler,
    /// The driver reuses a position counter even while the client is between its check and its store.
    ReuseIgnoresStalls,
    /// The application closes a subscription while another of its threads polls it.
    CloseDuringPoll,
}

crate::variant::variants!("image");
