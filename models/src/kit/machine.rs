//! A state machine as a table: states, events, and the next state for each pair.
//!
//! A component declares its two enumerations with `machine!` and writes `next`, a pure function with one `match`. The
//! rest is here: the names of states and events, the error that names state, event and actor, the table for a snapshot,
//! and the set of reachable states. [`machines`](crate::machines) lists every machine.
//!
//! Most models store the state and take the next one from the table, by `happens`. A model that keeps upstream's fields
//! computes the state from them before and after each event, and compares the later state with the table's.

use std::fmt;

use lastref::ledger::Owner;
use lastref::property::always_with;
use lastref::trace::transition;

/// A state or an event: one of a finite set, each with a name.
pub trait Symbol: Copy + Eq + fmt::Debug + Into<&'static str> + strum::VariantArray {
    /// All values, in the order of the declaration.
    const ALL: &'static [Self] = Self::VARIANTS;

    /// The name in tables.
    fn name(self) -> &'static str {
        self.into()
    }
}

impl<T: Copy + Eq + fmt::Debug + Into<&'static str> + strum::VariantArray> Symbol for T {}

/// The states of a machine that `machine!` declares.
pub trait States: Symbol {
    /// The kind of object, as upstream calls it.
    const KIND: &'static str;
    /// The property that an event violates if the state does not allow it.
    const RULE: &'static str;
}

/// Moves an object to the state that follows from an event, and records the transition unless the state stays the same.
/// An event that the state does not allow is a finding.
#[track_caller]
pub(crate) fn happens<S: States, E: Symbol>(state: &mut S, number: u32, next: Result<S, Illegal<S, E>>) {
    match next {
        Ok(next) if next == *state => {}
        Ok(next) => {
            transition(S::KIND, number, state.name(), next.name());
            *state = next;
        }
        Err(illegal) => always_with(S::RULE, false, || vec![("event", illegal.to_string())]),
    }
}

/// An event that the state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Illegal<S, E> {
    /// The kind of object, as upstream calls it, with its article.
    pub object: &'static str,
    /// The state before the event.
    pub state: S,
    /// The event.
    pub event: E,
    /// The holder or task that caused it.
    pub actor: Owner,
}

impl<S: Symbol, E: Symbol> fmt::Display for Illegal<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Illegal { object, state, event, actor } = self;
        write!(f, "illegal event {} from {actor}: {object} is {}", event.name(), state.name())
    }
}

/// The next state for each state and event.
pub type Next<S, E, T> = fn(S, E, Owner) -> Result<T, Illegal<S, E>>;

/// The whole table, a line for each state and event.
pub fn table<S: Symbol, E: Symbol, T: fmt::Display>(next: Next<S, E, T>) -> String {
    let (states, events) = (width::<S>(), width::<E>());
    let mut lines = String::new();
    for (state, event) in S::ALL.iter().flat_map(|state| E::ALL.iter().map(move |event| (*state, *event))) {
        let step = next(state, event, TABLE).map_or_else(|_| "illegal".to_owned(), |step| step.to_string());
        let line = format!("{:<states$} {:<events$} {step}", state.name(), event.name());
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

const TABLE: Owner = Owner::new("table", 0);

fn width<S: Symbol>() -> usize {
    S::ALL.iter().map(|symbol| symbol.name().len()).max().unwrap_or(0)
}

/// The states that some sequence of events reaches from `first`, in the order of the declaration.
pub fn reached<S: Symbol, E: Symbol>(first: S, next: impl Fn(S, E, Owner) -> Option<S>) -> Vec<S> {
    let mut reached = vec![first];
    let mut looked_at = 0;
    while let Some(state) = reached.get(looked_at).copied() {
        looked_at += 1;
        for to in E::ALL.iter().filter_map(|event| next(state, *event, TABLE)) {
            if !reached.contains(&to) {
                reached.push(to);
            }
        }
    }
    S::ALL.iter().copied().filter(|state| reached.contains(state)).collect()
}

/// Declares the states and the events of a machine, and its error `Illegal`, for a `next` in the same file.
///
/// It begins with the kind of object as upstream calls it, after its article: `a "connection"`. The names in tables are
/// those of the variants, in the case that `#[strum(serialize_all = …)]` sets.
macro_rules! machine {
    (
        $article:ident $kind:literal
        $(#[$state_attribute:meta])* $state_visibility:vis enum State { $($states:tt)* }
        $(#[$event_attribute:meta])* $event_visibility:vis enum Event { $($events:tt)* }
    ) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::VariantArray)]
        $(#[$state_attribute])*
        $state_visibility enum State { $($states)* }

        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr, strum::VariantArray)]
        $(#[$event_attribute])*
        $event_visibility enum Event { $($events)* }

        impl std::fmt::Display for State {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::kit::machine::Symbol::name(*self))
            }
        }

        impl $crate::kit::machine::States for State {
            const KIND: &'static str = $kind;
            const RULE: &'static str =
                concat!(stringify!($article), " ", $kind, " gets only events that its state allows");
        }

        /// An event that the state does not allow.
        $state_visibility type Illegal = $crate::kit::machine::Illegal<State, Event>;

        fn illegal(state: State, event: Event, actor: lastref::ledger::Owner) -> Illegal {
            Illegal { object: concat!(stringify!($article), " ", $kind), state, event, actor }
        }
    };
}
pub(crate) use machine;

#[cfg(test)]
mod tests {
    use lastref::ledger::Owner;

    use super::{Symbol, reached, table};

    machine! {
        a "door"
        #[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
        enum State { Open, Shut, LockedUp }
        enum Event { Push, Turn }
    }

    fn next(state: State, event: Event, actor: Owner) -> Result<&'static str, Illegal> {
        match (state, event) {
            (State::Open, Event::Push) => Ok(State::Shut.name()),
            (State::Shut, Event::Push) => Ok(State::Open.name()),
            (State::Open, Event::Turn) => Err(illegal(state, event, actor)),
            (State::Shut | State::LockedUp, _) => Ok(""),
        }
    }

    #[test]
    fn a_table_has_a_line_for_each_state_and_event() {
        let expected = "\
            OPEN      Push SHUT\n\
            OPEN      Turn illegal\n\
            SHUT      Push OPEN\n\
            SHUT      Turn\n\
            LOCKED_UP Push\n\
            LOCKED_UP Turn\n";
        assert_eq!(table(next), expected);
    }

    #[test]
    fn an_illegal_event_is_an_error_that_names_state_event_and_actor() {
        let refused = next(State::Open, Event::Turn, Owner::new("guest", 3)).map_err(|illegal| illegal.to_string());
        assert_eq!(refused, Err("illegal event Turn from guest#3: a door is OPEN".to_owned()));
    }

    #[test]
    fn a_state_is_reached_only_by_events() {
        let swing = |state, event, _| match (state, event) {
            (State::Open, Event::Push) => Some(State::Shut),
            _ => None,
        };
        assert_eq!(reached(State::Open, swing), [State::Open, State::Shut]);
    }
}
