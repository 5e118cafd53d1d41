//! The HTTP/2 frames that affect a client's connection.

use lastref::ledger::Tag;
use serde::{Deserialize, Serialize};

/// A frame that the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientFrame {
    /// The preface with the client's own SETTINGS.
    Preface,
    /// The acknowledgement of the server's SETTINGS.
    SettingsAck,
    /// A whole request: HEADERS and DATA with END_STREAM.
    Request { stream: u32, tag: Tag },
    /// RST_STREAM.
    RstStream { stream: u32 },
    /// PING.
    Ping,
    /// The answer to a PING of the server, with its payload.
    PingAck { opaque: u64 },
}

/// A frame that the server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerFrame {
    /// SETTINGS.
    Settings,
    /// A whole response: HEADERS, DATA and trailers. The payload is tagged for the request.
    Response { stream: u32, payload: Tag },
    /// GOAWAY: the server has not seen streams above the last one.
    Goaway { last_stream: u32, code: Goaway },
    /// The answer to a PING.
    PingAck,
    /// PING, with its payload.
    Ping { opaque: u64 },
    /// RST_STREAM: there will be no response.
    RstStream { stream: u32 },
}

/// The error code of a GOAWAY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goaway {
    /// `NO_ERROR`: the server drains.
    NoError,
    /// `ENHANCE_YOUR_CALM` with "too_many_pings": the channel must double its keepalive time.
    TooManyPings,
}
