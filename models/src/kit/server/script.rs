//! A server's actions on its connections, as plain data.

use serde::{Deserialize, Serialize};

use crate::kit::http2::Goaway;

/// For each address, the scripts of its first connection, its second, and so on.
pub type Backends = Vec<Vec<Vec<Step>>>;

/// The script of connection number `nth` to an address.
pub(crate) fn script(backends: &Backends, address: u32, nth: usize) -> Vec<Step> {
    let script = backends.get(address as usize).and_then(|scripts| scripts.get(nth));
    script.cloned().unwrap_or_else(|| vec![Step::Settings])
}

/// Longer than any timeout of a client.
const PAUSE_MS_MAX: u64 = 60_000;

lastref::plans! {
    /// The server's actions on a connection. After the last one it answers every request until the client closes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Step {
        /// Refuses the connection; only as the first step.
        Refuse,
        /// Never answers the attempt to connect; only as the first step.
        Ignore,
        /// Sends SETTINGS.
        Settings,
        /// Pauses for this many milliseconds.
        Pause(ms: u64 where 0..=PAUSE_MS_MAX),
        /// Reads until it has this many unanswered requests.
        Take(requests: u32 where 0..=16),
        /// Answers the requests that it has read.
        Answer,
        /// Sends GOAWAY; the last stream is the highest that it has read.
        Goaway(code: Goaway),
        /// Sends FIN. A server on a host closes its socket; a server in memory may go on reading.
        Fin,
        /// Sends RST.
        Rst,
        /// Does nothing until the client closes.
        Stall,
    }
}

impl lastref::plan::Plan for Goaway {}
