//! The variants: the fixed client, and one planted defect each.
//!
//! The fixed variant is gRPC core with the fixes #32071 and #34321, and with repairs of two other bugs of 1.53.0. Each
//! repair is marked `Deviates:`, and one variant undoes it.

/// The defect, if any. The variants before [`Variant::LateShutdownDropsSuccessor`] were reported upstream, or lack one
/// line of the fixed variant. The others were found by reading the source, and are not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Variant {
    /// No defect.
    Fixed,
    /// A connection attempt that ends after its Subchannel was orphaned leaves its transport without an owner (grpc
    /// #32071, and by inference the leaked socket of #38871).
    ConnectResultDroppedOnShutdown,
    /// The Subchannel does not watch the transport that it publishes.
    WatcherNotStarted,
    /// The Subchannel reacts to SHUTDOWN of its transport only, not to TRANSIENT_FAILURE, which reports a GOAWAY.
    OnlyShutdownObserved,
    /// A close that was deferred until the end of a write is never carried out.
    DeferredCloseLost,
    /// Orphaning a Subchannel removes the pool's current entry for its key, even if that is its successor.
    UnregisterErasesSuccessor,
    /// The pool returns a Subchannel that has no strong ref left (grpc #18043).
    RegisterReturnsDying,
    /// The destructor of a SubchannelWrapper removes it from the channel's state. The weak ref that `Unref` itself
    /// holds may run that destructor outside the WorkSerializer (grpc #34307, fixed by #34321).
    OrphanWeakrefInline,
    /// pick_first keeps the subchannels that it did not select (grpc #19357).
    UnselectedKept,
    /// pick_first does not clear its selected subchannel when the subchannel's list is replaced.
    SelectedLeftBehind,
    /// When a transport that received GOAWAY is later closed, its Subchannel drops its current connection, a newer one.
    LateShutdownDropsSuccessor,
    /// Once every address's state is known, pick_first requests a connection to the first address, even if that one has
    /// failed and the turn has passed to another. No connection to the other address is ever requested.
    AttemptMovesPastUnseen,
}

crate::variant::variants!("subchannel");
