//! The states of a Subchannel and their transitions: a pure function, against which the model checks itself.
//!
//! Upstream has one variable, `state_`, under `mu_`, and writes it in five places of subchannel.cc; each is an event
//! here.
//!
//! ```text
//!            RequestConnection              Published
//!  IDLE ─────────────────────► CONNECTING ─────────────► READY
//!   ▲  ▲                            │ ConnectFailed        │ TransportLost
//!   │  │     BackoffElapsed         ▼                      │
//!   │  └──────────────────── TRANSIENT_FAILURE             │
//!   └──────────────────────────────────────────────────────┘
//! ```
//!
//! SHUTDOWN is a state of transports and never of a Subchannel, which has `shutdown_` instead.

use lastref::ledger::Owner;

use crate::kit::machine::machine;

machine! {
    a "Subchannel"

    /// `grpc_connectivity_state`.
    #[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
    pub enum State {
        /// `GRPC_CHANNEL_IDLE`.
        Idle,
        /// `GRPC_CHANNEL_CONNECTING`.
        Connecting,
        /// `GRPC_CHANNEL_READY`.
        Ready,
        /// `GRPC_CHANNEL_TRANSIENT_FAILURE`.
        TransientFailure,
        /// `GRPC_CHANNEL_SHUTDOWN`.
        Shutdown,
    }

    /// An event of a Subchannel that is not shut down.
    pub enum Event {
        /// `Subchannel::RequestConnection`.
        RequestConnection,
        /// `PublishTransportLocked`.
        Published,
        /// `OnConnectingFinishedLocked` without a transport.
        ConnectFailed,
        /// `OnRetryTimerLocked`, by the timer or by `ResetBackoff`.
        BackoffElapsed,
        /// The first notification that the published transport's watcher gets.
        TransportLost,
    }
}

/// The next state after `event`.
///
/// # Errors
/// If the state does not allow the event.
pub fn next(state: State, event: Event, actor: Owner) -> Result<State, Illegal> {
    use State::{Connecting, Idle, Ready, Shutdown, TransientFailure};
    match (event, state) {
        (Event::RequestConnection, Idle) => Ok(Connecting),
        // Another channel has already requested the connection, or the backoff is not over.
        (Event::RequestConnection, Connecting | Ready | TransientFailure) => Ok(state),
        (Event::Published, Connecting) => Ok(Ready),
        (Event::ConnectFailed, Connecting) => Ok(TransientFailure),
        (Event::BackoffElapsed, TransientFailure) => Ok(Idle),
        (Event::TransportLost, Ready) => Ok(Idle),
        (Event::RequestConnection, Shutdown)
        | (Event::Published | Event::ConnectFailed, Idle | Ready | TransientFailure | Shutdown)
        | (Event::BackoffElapsed, Idle | Connecting | Ready | Shutdown)
        | (Event::TransportLost, Idle | Connecting | TransientFailure | Shutdown) => Err(illegal(state, event, actor)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::machine::{Symbol, reached};

    #[test]
    fn four_states_are_reached_from_idle_and_shutdown_is_not() {
        assert_eq!(reached(State::Idle, |state, event, actor| next(state, event, actor).ok()), State::ALL[..4]);
    }
}
