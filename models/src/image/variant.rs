//! The fixed client, and the lines that were wrong.
//!
//! The model is aeron at 63c11a69 (2026-08) with repairs of what is open there; each repair is marked `Deviates:`
//! where it stands and has a variant that takes it back.

/// The defect, if any. Variants up to [`Variant::StaleLastIndex`] were reported or repaired upstream; those after it
/// are derived from the source of 63c11a69, and not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Variant {
    /// No defect.
    Fixed,
    /// The wrapper retains an image that its lookup has retained already (aeron #1735, before 2593db3e).
    LookupDoubleRetain,
    /// Retain and release fail for an image that is not listed any more (933d7aff; aeron #1874).
    ReleaseRequiresMembership,
    /// Retain and release propose the newest list, on whichever thread they are called (a777da4f, before ce89cea0).
    ProposeFromConductor,
    /// `image_count` proposes on whichever thread it is called, and the lingering check prunes at once (a777da4f; aeron
    /// #1764, #1752).
    PruneWhileLingering,
    /// An image that is removed from its subscription is not closed (before 848b3593).
    NoCloseOnRemove,
    /// A poll stores the position of an image that was closed meanwhile (before a5892881, aeron #1998).
    PositionStoreAfterClose,
    /// A poll does not ask, between two fragments, whether its image was closed (before 35cda530, aeron #1675).
    PollIgnoresClose,
    /// The lingering check removes two images, and moves the same last element into both places (aeron #1728).
    StaleLastIndex,
    /// Retain does nothing for an image that is not listed any more, while release always does (3c1984b6).
    RetainRequiresMembership,
    /// The wrapper's lookup gives its reference back with a release that does nothing once the image is not listed.
    LookupReleaseRequiresMembership,
    /// The wrapper throws between the lookup and its own reference, and the lookup's reference is not released
    /// (2593db3e).
    ThrowKeepsLookup,
    /// Closing a subscription drops the base reference of an image with handles twice.
    CloseDropsBaseTwice,
    /// Closing a subscription neither closes nor announces an image with handles.
    CloseSkipsHeldImages,
    /// A lookup inside a fragment handler proposes the newest list while the poll around it goes on with an older one.
    ProposeInHandler,
    /// The driver reuses a position counter though the client may be between its check and its store.
    ReuseIgnoresStalls,
    /// The application closes a subscription while another of its threads polls it.
    CloseDuringPoll,
}

impl crate::Variant for Variant {
    const COMPONENT: &'static str = "image";
}
