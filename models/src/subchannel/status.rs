//! The status codes of calls, and the errors of the layers below.

use std::fmt;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Error {
    /// The peer sent FIN.
    SocketClosed,
    /// The peer sent RST.
    ConnectionReset,
    /// No server listens on the address.
    ConnectionRefused,
    /// A write to a connection whose peer is closed.
    BrokenPipe,
    /// The connection, or its SETTINGS, took too long.
    TimedOut,
    /// The fd was shut down by its owner.
    FdShutdown,
    /// The connector was shut down.
    ConnectorShutdown,
    /// The transport is closed already.
    TransportClosed,
    /// The transport's owner destroyed it.
    TransportDestroyed,
    /// The close is deferred until the write in progress ends.
    DelayedClose,
    /// The peer's first frame was not SETTINGS.
    ExpectedSettings,
    /// A keepalive ping was not answered in time.
    KeepaliveTimeout,
}

/// `GRPC_ERROR_NONE`, or an error.
pub type Outcome = Result<(), Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::SocketClosed => "Socket closed",
            Error::ConnectionReset => "Connection reset by peer",
            Error::ConnectionRefused => "Connection refused",
            Error::BrokenPipe => "Broken pipe",
            Error::TimedOut => "timed out",
            Error::FdShutdown => "FD shutdown",
            Error::ConnectorShutdown => "connector shutdown",
            Error::TransportClosed => "Transport closed",
            Error::TransportDestroyed => "Transport destroyed",
            Error::DelayedClose => "Delayed close due to in-progress write",
            Error::ExpectedSettings => "Expected SETTINGS frame as the first frame",
            Error::KeepaliveTimeout => "keepalive watchdog timeout",
        })
    }
}
