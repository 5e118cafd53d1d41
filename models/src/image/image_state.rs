//! The states of an image, as the conductor sees them.
//!
//! Upstream encodes the state in three fields, `removal_change_number`, `is_lingering` and `subscription`, and in the
//! container that has the image. Only the conductor changes them.
//!
//! | state | `image_by_key_map` | `removal_change_number` | base reference |
//! | --- | --- | --- | --- |
//! | `Listed` | yes | `INT64_MAX` | held |
//! | `Lingering`: removed, the subscriber may still read a list with it | no | a list's number | held |
//! | `Detached`: the subscriber has moved on, handles may be left | no | `INT64_MIN` | dropped |
//! | `Deleted` | no | | |

use lastref::ledger::Owner;

use crate::kit::machine::machine;

machine! {
    an "aeron_image_t"

    /// The state of an image.
    pub enum State {
        /// In the newest list of its subscription.
        Listed,
        /// Removed; a list with it may be in use.
        Lingering,
        /// No list with it is in use, and the base reference is dropped.
        Detached,
        /// Freed.
        Deleted,
    }

    /// An event that changes the state of an image.
    pub enum Event {
        /// `aeron_client_conductor_on_unavailable_image`.
        Unavailable,
        /// The subscriber has proposed a list without the image.
        MovedOn,
        /// The subscription is closed.
        SubscriptionClosed,
        /// The conductor has read a zero count.
        Unreferenced,
        /// `aeron_client_conductor_on_close`: deleted, even if references are left.
        ClientClosed,
    }
}

impl State {
    /// Whether the conductor holds the base reference.
    pub fn has_base(self) -> bool {
        matches!(self, State::Listed | State::Lingering)
    }
}

/// The image's next state after the event.
///
/// # Errors
/// If the event is illegal in that state.
pub fn next(state: State, event: Event, actor: Owner) -> Result<State, Illegal> {
    match (state, event) {
        (State::Listed, Event::Unavailable) => Ok(State::Lingering),
        (State::Lingering, Event::MovedOn) => Ok(State::Detached),
        (State::Listed | State::Lingering, Event::SubscriptionClosed) => Ok(State::Detached),
        (State::Detached, Event::Unreferenced) => Ok(State::Deleted),
        (State::Listed | State::Lingering | State::Detached, Event::ClientClosed) => Ok(State::Deleted),
        (State::Listed, Event::MovedOn | Event::Unreferenced)
        | (State::Lingering, Event::Unavailable | Event::Unreferenced)
        | (State::Detached, Event::Unavailable | Event::MovedOn | Event::SubscriptionClosed)
        | (State::Deleted, _) => Err(illegal(state, event, actor)),
    }
}
