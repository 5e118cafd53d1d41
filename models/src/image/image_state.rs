//! The life of an image as the conductor sees it, as a table.
//!
//! Upstream keeps it in three fields, `removal_change_number`, `is_lingering` and `subscription`, and in which of its
//! containers the image is. Only the conductor changes them.
//!
//! | state | `image_by_key_map` | `removal_change_number` | base reference |
//! | --- | --- | --- | --- |
//! | `Listed` | yes | `INT64_MAX` | held |
//! | `Lingering`: removed, the subscriber may still read a list with it | no | a list's number | held |
//! | `Detached`: the subscriber has moved on, handles may be left | no | `INT64_MIN` | dropped |
//! | `Deleted` | no | | |

use std::fmt;

use lastref::ledger::Owner;

/// Where an image is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// What happens to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// `aeron_client_conductor_on_unavailable_image`.
    Unavailable,
    /// The subscriber has proposed a list without the image.
    MovedOn,
    /// The subscription is closed.
    SubscriptionClosed,
    /// The count is zero, and the conductor has seen it.
    Unreferenced,
    /// `aeron_client_conductor_on_close`: deleted, whatever holds it.
    ClientClosed,
}

impl State {
    /// Every state.
    pub const ALL: [State; 4] = [State::Listed, State::Lingering, State::Detached, State::Deleted];

    /// As it is written in tables.
    pub fn name(self) -> &'static str {
        match self {
            State::Listed => "Listed",
            State::Lingering => "Lingering",
            State::Detached => "Detached",
            State::Deleted => "Deleted",
        }
    }

    /// Whether the conductor holds its reference.
    pub fn has_base(self) -> bool {
        matches!(self, State::Listed | State::Lingering)
    }
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 5] =
        [Event::Unavailable, Event::MovedOn, Event::SubscriptionClosed, Event::Unreferenced, Event::ClientClosed];
}

/// An event that its state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Illegal {
    state: State,
    event: Event,
    actor: Owner,
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Illegal { state, event, actor } = self;
        write!(f, "{actor} brings {event:?} to an aeron_image_t that is {}", state.name())
    }
}

/// Where the event takes the image.
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
        | (State::Deleted, _) => Err(Illegal { state, event, actor }),
    }
}

/// The whole table, a line per legal transition.
pub fn table() -> String {
    let actor = Owner::new("check", 0);
    let mut lines = Vec::new();
    for state in State::ALL {
        for event in Event::ALL {
            if let Ok(to) = next(state, event, actor) {
                lines.push(format!("{} {event:?} -> {}", state.name(), to.name()));
            }
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_documented_one() {
        let expected = "\
            Listed Unavailable -> Lingering\n\
            Listed SubscriptionClosed -> Detached\n\
            Listed ClientClosed -> Deleted\n\
            Lingering MovedOn -> Detached\n\
            Lingering SubscriptionClosed -> Detached\n\
            Lingering ClientClosed -> Deleted\n\
            Detached Unreferenced -> Deleted\n\
            Detached ClientClosed -> Deleted";
        assert_eq!(table(), expected);
    }

    #[test]
    fn an_illegal_event_names_state_event_and_actor() {
        let illegal = next(State::Deleted, Event::Unavailable, Owner::new("conductor", 0)).map_err(|e| e.to_string());
        let expected = "conductor#0 brings Unavailable to an aeron_image_t that is Deleted";
        assert_eq!(illegal, Err(expected.to_owned()));
    }
}
