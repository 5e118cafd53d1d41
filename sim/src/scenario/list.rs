//! The list of scenarios: explicit, sorted, in one place.
//!
//! Link-time registries lose a scenario silently when a file is left out of the build. With a list, a name without its
//! file does not compile, nor does a name out of order. A file without its name is not compiled; a test of this
//! repository's list finds it.

use crate::explore::{Case, CaseName};

use super::declaration::Scenario;
use super::nearest::{Hint, Unknown};

/// Declares the modules of the scenarios and `SCENARIOS`, the list of them.
///
/// It stands at the top of a crate, in `lib.rs` or `main.rs`. Each name is a file `COMPONENT/NAME.rs` beside it with
/// a function `pub fn scenario() -> Scenario`. Components and names are sorted; a name out of order does not compile.
///
/// ```text
/// lastref::scenarios! {
///     cache: [closed_by_last_user, shared_by_two],
///     queue: [full_queue],
/// }
/// ```
///
/// The list may be empty:
///
/// ```
/// mod empty {
///     lastref::scenarios! {}
/// }
///
/// assert!(empty::SCENARIOS.all().is_empty());
/// ```
#[macro_export]
macro_rules! scenarios {
    ($( $component:ident: [ $( $name:ident ),* $(,)? ] ),* $(,)?) => {
        $(
            #[doc = concat!("Scenarios of the component `", stringify!($component), "`, one file each.")]
            pub mod $component {
                $( pub mod $name; )*
            }
        )*

        /// Every scenario, sorted by component and name.
        pub static SCENARIOS: $crate::scenario::Scenarios = $crate::scenario::Scenarios::new(&[ $( $(
            $crate::scenario::Entry {
                component: stringify!($component),
                name: stringify!($name),
                declare: $component::$name::scenario,
            },
        )* )* ]);

        const _: () = {
            assert!(
                $crate::scenario::is_sorted(&[ $( stringify!($component) ),* ]),
                "the components are sorted by name",
            );
            $( assert!(
                $crate::scenario::is_sorted(&[ $( stringify!($name) ),* ]),
                concat!("the scenarios of ", stringify!($component), " are sorted by name"),
            ); )*
        };
    };
}

/// A scenario as the list names it, and the function that declares it. [`scenarios!`](crate::scenarios) makes it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The component's name in the list.
    pub component: &'static str,
    /// The scenario's name in the list, which is that of its file.
    pub name: &'static str,
    /// The function `scenario` of the file.
    pub declare: fn() -> Scenario,
}

/// The scenarios of a project, sorted by component and name. [`scenarios!`](crate::scenarios) declares it.
#[derive(Clone, Copy, Debug)]
pub struct Scenarios {
    entries: &'static [Entry],
}

/// A list that no command can run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadList {
    /// Nothing is declared.
    #[error("the list of scenarios is empty; write a scenario, and name it in `lastref::scenarios!`")]
    Empty,
    /// A scenario's own names are not those of the list. A token names a scenario by its own names, and would not be
    /// found.
    #[error("the list has scenario `{listed}`, whose declaration calls it `{declared}`")]
    Misnamed {
        /// `component/name` in the list: the path of the file.
        listed: String,
        /// `component/name` in the declaration.
        declared: String,
    },
    /// A scenario without an expectation, which therefore tests nothing.
    #[error("scenario `{0}` expects nothing of any variant; declare `.clean(…)` or `.violates(…)`")]
    ExpectsNothing(&'static str),
    /// The bare name of a scenario does not identify it.
    #[error("components `{first}` and `{second}` both have a scenario `{name}`; a scenario's name is unique")]
    Ambiguous {
        /// The scenario's name.
        name: &'static str,
        /// The component that is first in the list.
        first: &'static str,
        /// The other component.
        second: &'static str,
    },
}

impl Scenarios {
    /// For [`scenarios!`](crate::scenarios), which checks the order.
    #[doc(hidden)]
    pub const fn new(entries: &'static [Entry]) -> Scenarios {
        Scenarios { entries }
    }

    /// The scenarios, in the order of the list.
    pub fn all(&self) -> Vec<Scenario> {
        self.entries.iter().map(|entry| (entry.declare)()).collect()
    }

    /// Checks that the list is not empty, that each scenario's own names are those of the list, that no two scenarios
    /// have the same name, and that each has an expectation.
    ///
    /// # Errors
    /// If a check fails; the error is the first one in the order of the list.
    pub fn check(&self) -> Result<(), BadList> {
        if self.entries.is_empty() {
            return Err(BadList::Empty);
        }
        for (nth, entry) in self.entries.iter().enumerate() {
            let scenario = (entry.declare)();
            if (scenario.component(), scenario.name()) != (entry.component, entry.name) {
                let listed = format!("{}/{}", entry.component, entry.name);
                let declared = format!("{}/{}", scenario.component(), scenario.name());
                return Err(BadList::Misnamed { listed, declared });
            }
            if scenario.expectations().is_empty() {
                return Err(BadList::ExpectsNothing(entry.name));
            }
            if let Some(first) = self.entries[..nth].iter().find(|earlier| earlier.name == entry.name) {
                let (first, second) = (first.component, entry.component);
                return Err(BadList::Ambiguous { name: entry.name, first, second });
            }
        }
        Ok(())
    }

    /// The scenario called `name`, given bare or as `component/name`.
    ///
    /// # Errors
    /// If there is none; the error names the component that has one of this name, or the nearest name.
    pub fn find(&self, name: &str) -> Result<Scenario, Unknown> {
        let all = self.all();
        let wanted = |scenario: &&Scenario| match name.split_once('/') {
            None => scenario.name() == name,
            Some((component, name)) => scenario.component() == component && scenario.name() == name,
        };
        let component = || all.iter().map(Scenario::component).find(|component| *component == name);
        match all.iter().find(wanted) {
            Some(scenario) => Ok(scenario.clone()),
            None if let Some(component) = component() => {
                let hint = Some(Hint::IsComponent(component));
                Err(Unknown { what: "scenario", input: name.to_owned(), hint })
            }
            None => {
                let bare = name.rsplit_once('/').map_or(name, |(_, bare)| bare);
                Err(match all.iter().find(|scenario| scenario.name() == bare) {
                    Some(elsewhere) => Unknown::of_component("scenario", name, elsewhere.component()),
                    // Compared without the component: it is the same for most of them, and would drown the part that
                    // differs.
                    None => {
                        let nearest = Unknown::new("scenario", bare, all.iter().map(Scenario::name));
                        Unknown { input: name.to_owned(), ..nearest }
                    }
                })
            }
        }
    }

    /// The case of that name, if it is in the list. [`serve_child`](crate::explore::serve_child) finds the case of a
    /// child process with it.
    pub fn case(&self, name: &CaseName) -> Option<Case> {
        let scenario = self.find(&name.scenario).ok().filter(|scenario| scenario.component() == name.component)?;
        scenario.case(&name.variant)
    }
}

/// Whether each name is below the next, byte by byte, at compile time. For [`scenarios!`](crate::scenarios).
#[doc(hidden)]
pub const fn is_sorted(names: &[&str]) -> bool {
    let mut index = 1;
    while index < names.len() {
        if !is_below(names[index - 1].as_bytes(), names[index].as_bytes()) {
            return false;
        }
        index += 1;
    }
    true
}

const fn is_below(left: &[u8], right: &[u8]) -> bool {
    let mut index = 0;
    while index < left.len() && index < right.len() {
        if left[index] != right[index] {
            return left[index] < right[index];
        }
        index += 1;
    }
    left.len() < right.len()
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Just;

    use super::*;
    use crate::scenario::variant::samples::Pool;

    fn leak() -> Scenario {
        Scenario::new("leak", "A pool leaks", "none#1", || Just(()), |_: Pool, (): &()| ()).clean(Pool::Fixed)
    }

    fn idle() -> Scenario {
        Scenario::new("idle", "A pool does nothing", "none#1", || Just(()), |_: Pool, (): &()| ())
    }

    const LEAK: Entry = Entry { component: "pool", name: "leak", declare: leak };

    #[test]
    fn order_is_strict_and_a_prefix_comes_first() {
        assert!(is_sorted(&[]));
        assert!(is_sorted(&["close", "close_races_reply", "crowd"]));
        assert!(!is_sorted(&["close_races_reply", "close"]));
        assert!(!is_sorted(&["close", "close"]));
    }

    #[track_caller]
    fn check(entries: &'static [Entry], said: &str) {
        let checked = Scenarios::new(entries).check();
        assert_eq!(checked.err().map(|bad| bad.to_string()).unwrap_or_default(), said);
    }

    #[test]
    fn a_list_that_no_command_can_run_is_refused_with_the_first_reason() {
        check(&[LEAK], "");
        check(&[], "the list of scenarios is empty; write a scenario, and name it in `lastref::scenarios!`");
        check(
            &[Entry { name: "leaks", ..LEAK }],
            "the list has scenario `pool/leaks`, whose declaration calls it `pool/leak`",
        );
        check(
            &[Entry { component: "cache", ..LEAK }],
            "the list has scenario `cache/leak`, whose declaration calls it `pool/leak`",
        );
        check(
            &[Entry { component: "pool", name: "idle", declare: idle }],
            "scenario `idle` expects nothing of any variant; declare `.clean(…)` or `.violates(…)`",
        );
        check(&[LEAK, LEAK], "components `pool` and `pool` both have a scenario `leak`; a scenario's name is unique");
    }

    #[test]
    fn a_case_is_found_under_its_own_component_only() {
        let list = Scenarios::new(&[LEAK]);
        let name = |component: &str, variant: &str| CaseName {
            component: component.to_owned(),
            scenario: String::from("leak"),
            variant: variant.to_owned(),
        };
        assert!(list.case(&name("pool", "fixed")).is_some());
        assert!(list.case(&name("cache", "fixed")).is_none());
        assert!(list.case(&name("pool", "leaks")).is_none());
        let unknown = |input: &str| list.find(input).map(|found| found.name()).map_err(|unknown| unknown.hint);
        assert_eq!(unknown("pool/leak"), Ok("leak"));
        assert_eq!(unknown("pool"), Err(Some(Hint::IsComponent("pool"))));
        assert_eq!(unknown("cache/leak"), Err(Some(Hint::OfComponent("pool"))));
    }
}
