//! The states of a client's connection, and the transitions between them.
//!
//! ```text
//!                Connected           Send                Goaway              Close
//!  Connecting ─────────────► Idle ─────────► Busy ──────────────► Draining ─────────────────► Closed
//!       │                     ▲ │             │                                                 ▲
//!       │                     └─┼─────────────┘ Complete                                        │
//!       └───────────────────────┴───────────────────────────────────────────────────────────────┘
//!         ConnectFailed, Close
//! ```
//!
//! `Goaway` also leads from Idle to Draining, `Close` from Busy to Closed. Upstream has no such variable: in hyper the
//! state follows from the dispatcher's future and its `want` channel, in Go from four fields of a `ClientConn`.

use lastref::ledger::Owner;

use crate::kit::machine::machine;

machine! {
    a "connection"

    /// The state of a connection.
    pub enum State {
        /// The attempt to connect is under way.
        Connecting,
        /// It is open, without a request.
        Idle,
        /// It is open, with one request over HTTP/1, with one or more over HTTP/2.
        Busy,
        /// A GOAWAY has arrived: the connection takes no new requests, and its remaining requests end normally.
        Draining,
        /// Its socket is closed.
        Closed,
    }

    /// An event of a connection.
    pub enum Event {
        /// The attempt has succeeded.
        Connected,
        /// The attempt has failed.
        ConnectFailed,
        /// `try_send_request`: a request is given to the connection.
        Send,
        /// The last of its requests is over.
        Complete,
        /// GOAWAY.
        Goaway,
        /// The socket is closed, by the peer or by this end.
        Close,
    }
}

/// The next state after `event`.
///
/// # Errors
/// If the state does not allow the event.
pub fn next(state: State, event: Event, actor: Owner) -> Result<State, Illegal> {
    use State::{Busy, Closed, Connecting, Draining, Idle};
    match (event, state) {
        (Event::Connected, Connecting) | (Event::Complete, Busy) => Ok(Idle),
        (Event::Send, Idle | Busy) => Ok(Busy),
        // A server that shuts down gracefully sends two GOAWAYs; the second one has the last stream.
        (Event::Goaway, Idle | Busy | Draining) | (Event::Complete, Draining) => Ok(Draining),
        (Event::ConnectFailed, Connecting) | (Event::Close, Connecting | Idle | Busy | Draining) => Ok(Closed),
        (Event::Connected | Event::ConnectFailed, Idle | Busy | Draining | Closed)
        | (Event::Send, Connecting | Draining | Closed)
        | (Event::Complete, Connecting | Idle | Closed)
        | (Event::Goaway, Connecting | Closed)
        | (Event::Close, Closed) => Err(illegal(state, event, actor)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::machine::{Symbol, reached};

    #[test]
    fn every_state_is_reached_from_the_attempt_to_connect() {
        assert_eq!(reached(State::Connecting, |state, event, actor| next(state, event, actor).ok()), State::ALL);
    }
}
