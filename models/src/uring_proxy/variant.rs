//! The fixed proxy, and the lines that were wrong.
//!
//! The model is liburing's examples/proxy.c at 27255f4 with the repairs that are marked `Deviates:` where they stand.
//! Where a repair mends something that can be seen to go wrong, a variant takes it back, and so is what upstream does
//! today.

/// What is wrong, if anything. After [`Variant::IncIgnoresBufMore`] come first those that upstream's
/// history has mended without a report, then what follows from the source and nobody reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Variant {
    /// Nothing.
    Fixed,
    /// A receive that ended is armed again on direction 0, whichever it was (liburing#1338, before 7f008999).
    RearmCd0,
    /// After -ENOBUFS the other direction's sends are looked at, and direction 0 is armed.
    EnobufsWrongDir,
    /// Both directions put what is to be sent into one buffer ring.
    SharedOutRing,
    /// After -ENOBUFS a receive is armed only by a send that completes (before 4e642958 and c18c8fbc).
    NoRearmOnEnobufs,
    /// The end of a receive does not make what was received go out (before 6dfe352a).
    NoSendWithoutMore,
    /// The first of two closed descriptors makes the connection disconnected (before e4562576).
    EarlyDisconnected,
    /// A zero-copy send's buffer goes back to the receives before its notification.
    ReplenishBeforeNotif,
    /// A buffer that the kernel still fills is taken for a full one.
    IncIgnoresBufMore,
    /// The statistics of direction 1 are not freed (before e8b85a24).
    BucketsLeak,
    /// The statistics have no place for a packet count of all buffers (before c1cf7713).
    BucketOffByOne,
    /// Which buffer a send has sent is guessed by counting.
    BidByCount,
    /// The id of a buffer is taken for its place in the buffer ring.
    SlotByBid,
    /// Whether all is forwarded is told by comparing how many receives and sends there were.
    StopByCounts,
    /// An error ends the connection's thread at once: -ECONNRESET, -ECONNREFUSED, and the -ECANCELED of its own stop.
    ErrorEndsThread,
    /// Two threads change the connection's flags, neither atomically.
    StopSentTwice,
    /// Of two requests on a descriptor one is cancelled.
    CancelFirstMatch,
    /// Requests are submitted while the connection is being stopped.
    ArmAfterStop,
    /// Each completion of a close that finds both descriptors closed frees the connection.
    SecondCloseFrees,
    /// Buffers are freed while a zero-copy send may still read them.
    CloseBeforeNotif,
    /// A notification that comes after its descriptor is closed counts for the other direction.
    LateNotifWrongDir,
    /// What a short send left out is forgotten.
    ShortSendDropsTail,
    /// Only buffers that are full are forwarded, to where their last byte goes.
    IncWholeBuffer,
}

impl crate::Variant for Variant {
    const COMPONENT: &'static str = "uring_proxy";
}
