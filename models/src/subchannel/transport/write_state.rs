//! `grpc_chttp2_write_state`: whether a transport writes, and whether there is more to write.
//!
//! ```text
//!        Initiate            Initiate
//!  IDLE ──────────► WRITING ──────────► WRITING+MORE
//!   ▲                 │  ▲                   │
//!   └── Nothing, End ─┘  └──── Begin, End ───┘
//! ```
//!
//! `Nothing` also leads from WRITING+MORE to IDLE. `Begin` leaves WRITING as it is, and `Initiate` WRITING+MORE.
//!
//! Upstream (1.53.0, chttp2_transport.cc).

use lastref::ledger::Owner;

use crate::kit::machine::machine;

machine! {
    a "write_state"

    /// `grpc_chttp2_write_state`.
    #[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
    pub enum State {
        /// `GRPC_CHTTP2_WRITE_STATE_IDLE`.
        Idle,
        /// `GRPC_CHTTP2_WRITE_STATE_WRITING`.
        Writing,
        /// `GRPC_CHTTP2_WRITE_STATE_WRITING_WITH_MORE`.
        #[strum(serialize = "WRITING+MORE")]
        WritingWithMore,
    }

    /// A step of a write.
    pub enum Event {
        /// `grpc_chttp2_initiate_write`.
        Initiate,
        /// `write_action_begin_locked`, with something to write: all of it.
        Begin,
        /// `write_action_begin_locked`, with nothing to write.
        Nothing,
        /// `write_action_end_locked`.
        End,
    }
}

/// The next state after `event`.
///
/// # Errors
/// If a write begins without a request for one, or ends without a beginning.
pub fn next(state: State, event: Event, actor: Owner) -> Result<State, Illegal> {
    use State::{Idle, Writing, WritingWithMore};
    match (event, state) {
        (Event::Initiate, Idle) | (Event::Begin, Writing | WritingWithMore) | (Event::End, WritingWithMore) => {
            Ok(Writing)
        }
        (Event::Initiate, Writing | WritingWithMore) => Ok(WritingWithMore),
        (Event::Nothing, Writing | WritingWithMore) | (Event::End, Writing) => Ok(Idle),
        (Event::Begin | Event::Nothing | Event::End, Idle) => Err(illegal(state, event, actor)),
    }
}
