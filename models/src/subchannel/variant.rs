//! The fixed client, and the lines that were wrong.
//!
//! The fixed variant is gRPC core with the fixes #32071 and #34321, and with repairs of two other bugs of 1.53.0, each
//! of which is marked `Deviates:` where it stands and has a variant that takes it back.

/// The defect, if any. Those from [`Variant::LateShutdownDropsSuccessor`] on are derived from the source, and not
/// reported; those before it were reported upstream, or take one line of the fixed variant away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Variant {
    /// No defect.
    Fixed,
    /// A connection attempt that ends after its Subchannel was orphaned leaves its transport without an owner (grpc
    /// #32071, and by inference the leaked socket of #38871).
    ConnectResultDroppedOnShutdown,
    /// A published transport is not watched.
    WatcherNotStarted,
    /// The Subchannel reacts to SHUTDOWN of its transport only, not to TRANSIENT_FAILURE, which stands for GOAWAY.
    OnlyShutdownObserved,
    /// A transport that was to be closed when its write is finished is not.
    DeferredCloseLost,
    /// Orphaning a Subchannel removes the pool's current entry for its key, even if that is its successor.
    UnregisterErasesSuccessor,
    /// The pool gives out a Subchannel whose strong refs are gone (grpc #18043).
    RegisterReturnsDying,
    /// The channel's own state about a SubchannelWrapper is cleaned up in its destructor, which the weak ref that
    /// `Unref` itself holds may run outside the WorkSerializer (grpc #34307, mended by #34321).
    OrphanWeakrefInline,
    /// pick_first keeps the subchannels that it did not select (grpc #19357).
    UnselectedKept,
    /// pick_first does not forget its selected subchannel when the list that it is of is replaced.
    SelectedLeftBehind,
    /// A transport that got GOAWAY earlier is closed, and its Subchannel drops the connection that it has by then.
    LateShutdownDropsSuccessor,
    /// pick_first asks the first address of a list to connect when it knows every address, though the first has failed
    /// meanwhile and the turn has passed to another one, which is then never asked.
    AttemptMovesPastUnseen,
}

impl crate::Variant for Variant {
    const COMPONENT: &'static str = "subchannel";
}
