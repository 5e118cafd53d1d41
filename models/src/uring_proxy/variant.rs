//! The fixed proxy, and the lines that were wrong.
//!
//! The model is liburing's examples/proxy.c at 27255f4 with the repairs that are marked `Deviates:` where they stand.
//! If the effect of a repaired bug is observable, a variant removes the repair, and so behaves like upstream today.

/// The defect, if any. After [`Variant::IncIgnoresBufMore`] follow bugs that upstream fixed without a report, then bugs
/// that are derived from the source and not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Variant {
    /// No defect.
    Fixed,
    /// A receive that ended is armed again on direction 0, whichever it was (liburing#1338, before 7f008999).
    RearmCd0,
    /// After -ENOBUFS the proxy checks the sends of the wrong direction, and arms direction 0.
    EnobufsWrongDir,
    /// Both directions put what is to be sent into one buffer ring.
    SharedOutRing,
    /// After -ENOBUFS a receive is armed only by a send that completes (before 4e642958 and c18c8fbc).
    NoRearmOnEnobufs,
    /// The end of a receive does not send the received data (before 6dfe352a).
    NoSendWithoutMore,
    /// The first of two closed descriptors makes the connection disconnected (before e4562576).
    EarlyDisconnected,
    /// A zero-copy send's buffer goes back to the receives before its notification.
    ReplenishBeforeNotif,
    /// An incremental buffer counts as full while the kernel still fills it.
    IncIgnoresBufMore,
    /// The statistics of direction 1 are not freed (before e8b85a24).
    BucketsLeak,
    /// The statistics have no place for a packet count of all buffers (before c1cf7713).
    BucketOffByOne,
    /// The buffer of a completed send is inferred by counting.
    BidByCount,
    /// The id of a buffer is taken for its place in the buffer ring.
    SlotByBid,
    /// The proxy compares the numbers of receives and sends to decide whether all data is forwarded.
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
    /// The unsent rest of a short send is dropped.
    ShortSendDropsTail,
    /// Only full buffers are forwarded, each to the destination of its last byte.
    IncWholeBuffer,
}

impl crate::Variant for Variant {
    const COMPONENT: &'static str = "uring_proxy";
}
