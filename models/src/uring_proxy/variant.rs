//! The variants: the fixed proxy, and one planted defect each.
//!
//! The model is liburing's examples/proxy.c at 27255f4 with the repairs that are marked `Deviates:`. If the effect of a
//! repaired bug is observable, a variant removes the repair, and so behaves like upstream today.

/// The defect, if any. The variants after [`Variant::IncIgnoresBufMore`] are bugs that upstream fixed without a report,
/// then bugs that were found by reading the source and are not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Variant {
    /// No defect.
    Fixed,
    /// A receive that ended is armed again on direction 0, even if it was direction 1's (liburing#1338, before
    /// 7f008999).
    RearmCd0,
    /// After -ENOBUFS the proxy checks the sends of the wrong direction, and arms direction 0.
    EnobufsWrongDir,
    /// Both directions queue their outgoing data in one buffer ring.
    SharedOutRing,
    /// After -ENOBUFS, only the completion of a send arms a receive (before 4e642958 and c18c8fbc).
    NoRearmOnEnobufs,
    /// The last completion of a receive does not start a send of its data (before 6dfe352a).
    NoSendWithoutMore,
    /// The close of the first of two descriptors marks the connection as disconnected (before e4562576).
    EarlyDisconnected,
    /// A zero-copy send's buffer is provided to receives again before the send's notification.
    ReplenishBeforeNotif,
    /// An incremental buffer counts as full while the kernel still fills it.
    IncIgnoresBufMore,
    /// The statistics of direction 1 are not freed (before e8b85a24).
    BucketsLeak,
    /// The statistics have no entry for a packet count equal to the number of buffers (before c1cf7713).
    BucketOffByOne,
    /// The buffer of a completed send is inferred by counting.
    BidByCount,
    /// The id of a buffer is used as its index in the buffer ring.
    SlotByBid,
    /// The proxy compares the numbers of receives and sends to decide whether all data is forwarded.
    StopByCounts,
    /// An error ends the connection's thread at once: -ECONNRESET, -ECONNREFUSED, and the -ECANCELED of its own stop.
    ErrorEndsThread,
    /// Two threads change the connection's flags, and the connection's thread does so without an atomic operation.
    StopSentTwice,
    /// Only one of two requests on a descriptor is cancelled.
    CancelFirstMatch,
    /// Receives are armed while the connection is being stopped.
    ArmAfterStop,
    /// Each completion of a close that finds both descriptors closed frees the statistics of the connection.
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

crate::variant::variants!("uring_proxy");
