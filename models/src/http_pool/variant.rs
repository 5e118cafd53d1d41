//! The fixed pool, and its defects.
//!
//! The fixed variant is hyper-util's pool with two repairs: the cancel of a connect does not fail other requests, and a
//! draining connection is closed after its last stream, even if the server does not close it. Each repair is marked
//! `Deviates:` in the code, and a variant undoes it.

/// The defect, if any. The comment says where it comes from: reported upstream, or planted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Variant {
    /// No defect.
    Fixed,
    /// A request that is cancelled between send and answer returns its connection to the pool with the answer unread
    /// (redis/redis-py#2624, CVE-2023-28858).
    CancelReturnsDirty,
    /// The cancel of a connect fails every request that waits for the connection (hyperium/hyper#3199).
    WaitersLostWithConnect,
    /// A connection that received GOAWAY is removed from the pool, but not closed after its last stream
    /// (golang/go#39752).
    GoawayForgetsConnection,
    /// The pool hands out an idle connection without checking whether the peer has closed it (hyperium/hyper#1429).
    ClosedHandedOut,
    /// A request fails if its pooled connection was closed before the request was sent; it is not sent again
    /// (`retry_canceled_requests` off). Planted: in hyperium/hyper#2136 the request was sent.
    UnsentNotRetried,
    /// A request is sent again if its connection was closed after the request was sent. Planted.
    SentIsRetried,
    /// A connect that is cancelled stays listed, so that every later request waits for it. Planted.
    ConnectingKept,
    /// A GOAWAY does not end the streams above its last stream. Planted.
    GoawayStrandsStreams,
    /// A connection that is handed to a request that was cancelled meanwhile is lost. Planted.
    HandedToCancelled,
}

crate::variant::variants!("http_pool");
