//! The status codes of calls, and the errors of the layers below.

/// `grpc_status_code`: the codes that the client itself produces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display, strum::IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// `GRPC_STATUS_OK`.
    Ok,
    /// `GRPC_STATUS_CANCELLED`.
    Cancelled,
    /// `GRPC_STATUS_DEADLINE_EXCEEDED`.
    DeadlineExceeded,
    /// `GRPC_STATUS_UNAVAILABLE`.
    Unavailable,
}

/// `grpc_error_handle`, by its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::Display)]
pub enum Error {
    /// The peer sent FIN.
    #[strum(to_string = "Socket closed")]
    SocketClosed,
    /// The peer sent RST.
    #[strum(to_string = "Connection reset by peer")]
    ConnectionReset,
    /// No server listens on the address.
    #[strum(to_string = "Connection refused")]
    ConnectionRefused,
    /// A write to a connection whose peer is closed.
    #[strum(to_string = "Broken pipe")]
    BrokenPipe,
    /// The connection, or its SETTINGS, took too long.
    #[strum(to_string = "timed out")]
    TimedOut,
    /// The fd was shut down by its owner.
    #[strum(to_string = "FD shutdown")]
    FdShutdown,
    /// The connector was shut down.
    #[strum(to_string = "connector shutdown")]
    ConnectorShutdown,
    /// The transport is closed already.
    #[strum(to_string = "Transport closed")]
    TransportClosed,
    /// The transport's owner destroyed it.
    #[strum(to_string = "Transport destroyed")]
    TransportDestroyed,
    /// The close is deferred until the write in progress ends.
    #[strum(to_string = "Delayed close due to in-progress write")]
    DelayedClose,
    /// The peer's first frame was not SETTINGS.
    #[strum(to_string = "Expected SETTINGS frame as the first frame")]
    ExpectedSettings,
    /// A keepalive ping was not answered in time.
    #[strum(to_string = "keepalive watchdog timeout")]
    KeepaliveTimeout,
}

/// `GRPC_ERROR_NONE`, or an error.
pub type Outcome = Result<(), Error>;
