//! The states of a `Conn`: upstream's field `closed`, which is set once, under the lock of the connection.

use lastref::ledger::Owner;

use crate::kit::machine::machine;

machine! {
    a "Conn"

    /// The state of a connection.
    #[derive(Default)]
    #[strum(serialize_all = "snake_case")]
    pub enum State {
        /// It reads, writes and accepts jobs.
        #[default]
        Open,
        /// It refuses everything; the thread that has closed it cleans up.
        Closed,
    }

    /// An event of a connection.
    pub enum Event {
        /// `closed = true`: by `Close`, by a failed write, or by a deadline.
        Close,
    }
}

/// The next state after `event`.
///
/// # Errors
/// If the connection is closed already.
pub fn next(state: State, event: Event, actor: Owner) -> Result<State, Illegal> {
    match (state, event) {
        (State::Open, Event::Close) => Ok(State::Closed),
        (State::Closed, Event::Close) => Err(illegal(state, event, actor)),
    }
}
