//! What is said on a connection: HTTP/2 frames, as far as a client's life depends on them.

use lastref::ledger::Tag;
use serde::{Deserialize, Serialize};

/// A frame of the client's.
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
    /// The answer to a PING of the server's, with what that carried.
    PingAck { opaque: u64 },
}

/// A frame of the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerFrame {
    /// SETTINGS.
    Settings,
    /// A whole response: HEADERS, DATA and trailers. The payload is tagged for the request.
    Response { stream: u32, payload: Tag },
    /// GOAWAY: streams above the last one were not seen.
    Goaway { last_stream: u32, code: Goaway },
    /// The answer to a PING.
    PingAck,
    /// PING, with what it carries.
    Ping { opaque: u64 },
    /// RST_STREAM: there will be no response.
    RstStream { stream: u32 },
}

/// The error code of a GOAWAY.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Goaway {
    /// `NO_ERROR`: the server drains.
    NoError,
    /// `ENHANCE_YOUR_CALM` with "too_many_pings": the channel is to double its keepalive time.
    TooManyPings,
}
