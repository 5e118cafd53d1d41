//! The states of a Subchannel, and what each event makes of them: a pure function, and the model's own oracle.
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

use std::fmt;

use lastref::ledger::Owner;

/// `grpc_connectivity_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// What can happen to a Subchannel that is not shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// An event that the state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Illegal {
    /// The state before it.
    pub state: State,
    /// The event.
    pub event: Event,
    /// Whose event it was.
    pub actor: Owner,
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} brings {:?} to a Subchannel that is {}", self.actor, self.event, self.state.name())
    }
}

impl State {
    /// Every state.
    pub const ALL: [State; 5] =
        [State::Idle, State::Connecting, State::Ready, State::TransientFailure, State::Shutdown];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            State::Idle => "IDLE",
            State::Connecting => "CONNECTING",
            State::Ready => "READY",
            State::TransientFailure => "TRANSIENT_FAILURE",
            State::Shutdown => "SHUTDOWN",
        }
    }
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 5] =
        [Event::RequestConnection, Event::Published, Event::ConnectFailed, Event::BackoffElapsed, Event::TransportLost];
}

/// What `event` makes of `state`.
///
/// # Errors
/// If the state does not allow the event.
pub fn next(state: State, event: Event, actor: Owner) -> Result<State, Illegal> {
    use State::{Connecting, Idle, Ready, Shutdown, TransientFailure};
    match (event, state) {
        (Event::RequestConnection, Idle) => Ok(Connecting),
        // Asked for by another channel before, or not to be asked for before the backoff is over.
        (Event::RequestConnection, Connecting | Ready | TransientFailure) => Ok(state),
        (Event::Published, Connecting) => Ok(Ready),
        (Event::ConnectFailed, Connecting) => Ok(TransientFailure),
        (Event::BackoffElapsed, TransientFailure) => Ok(Idle),
        (Event::TransportLost, Ready) => Ok(Idle),
        (Event::RequestConnection, Shutdown)
        | (Event::Published | Event::ConnectFailed, Idle | Ready | TransientFailure | Shutdown)
        | (Event::BackoffElapsed, Idle | Connecting | Ready | Shutdown)
        | (Event::TransportLost, Idle | Connecting | TransientFailure | Shutdown) => {
            Err(Illegal { state, event, actor })
        }
    }
}

/// One row of the transition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub state: State,
    /// The event.
    pub event: Event,
    /// The state after; nothing where the state does not allow the event.
    pub to: Option<State>,
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = self.to.map_or("illegal", State::name);
        write!(f, "{:<18}{:<18}{to}", self.state.name(), format!("{:?}", self.event))
    }
}

/// The whole table, state by state.
pub fn transitions() -> Vec<Transition> {
    let actor = Owner::new("table", 0);
    let rows = State::ALL.iter().flat_map(|&state| Event::ALL.iter().map(move |&event| (state, event)));
    rows.map(|(state, event)| Transition { state, event, to: next(state, event, actor).ok() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_states_are_reached_from_idle_and_shutdown_is_not() {
        let mut reached = vec![State::Idle];
        while let Some(found) = transitions().into_iter().find_map(|row| {
            let to = row.to.filter(|_| reached.contains(&row.state))?;
            (!reached.contains(&to)).then_some(to)
        }) {
            reached.push(found);
        }
        reached.sort_unstable();
        assert_eq!(reached, State::ALL[..4]);
    }

    #[test]
    fn an_illegal_event_is_an_error_that_names_state_event_and_actor() {
        let illegal = next(State::Ready, Event::BackoffElapsed, Owner::new("RetryTimer", 3));
        let told = illegal.map_err(|illegal| illegal.to_string());
        assert_eq!(told, Err("RetryTimer#3 brings BackoffElapsed to a Subchannel that is READY".to_owned()));
    }
}
