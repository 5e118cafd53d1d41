//! The list of scenarios: explicit, sorted, in one place.
//!
//! Link-time registries lose a scenario silently when a file is left out of the build. A list cannot: a name without
//! its file does not compile, a name out of order does not compile, and a test finds a file without its name.

use lastref::explore::{Case, CaseName};

use crate::nearest::{Hint, Unknown};
use crate::scenario::Scenario;

/// Declares the modules of the scenarios and `all()`, which builds them in the order of the list.
macro_rules! scenarios {
    ($( $component:ident: [ $( $name:ident ),* $(,)? ] ),* $(,)?) => {
        $(
            #[doc = concat!("Scenarios of the component `", stringify!($component), "`, one file each.")]
            pub mod $component {
                $( pub mod $name; )*
            }
        )*

        /// Every scenario, sorted by component and name.
        pub fn all() -> Vec<Scenario> {
            vec![ $( $( $component::$name::scenario(), )* )* ]
        }

        const _: () = {
            assert!($crate::list::is_sorted(&[ $( stringify!($component) ),* ]), "the components are sorted by name");
            $( assert!(
                $crate::list::is_sorted(&[ $( stringify!($name) ),* ]),
                concat!("the scenarios of ", stringify!($component), " are sorted by name"),
            ); )*
        };
    };
}
pub(crate) use scenarios;

/// The scenario called `name`, given bare or as `component/name`.
///
/// # Errors
/// If there is none; the error names the component that has one of this name, or the nearest name.
pub fn find(name: &str) -> Result<Scenario, Unknown> {
    let all = crate::all();
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
                    Unknown { input: name.to_owned(), ..Unknown::new("scenario", bare, all.iter().map(Scenario::name)) }
                }
            })
        }
    }
}

/// The case of that name, if it is in the list. Called by a child process that explores one cell.
pub fn case(name: &CaseName) -> Option<Case> {
    let scenario = find(&name.scenario).ok().filter(|scenario| scenario.component() == name.component)?;
    scenario.case(&name.variant)
}

/// Whether each name is below the next, byte by byte; usable at compile time.
pub(crate) const fn is_sorted(names: &[&str]) -> bool {
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
    use super::*;

    #[test]
    fn order_is_strict_and_a_prefix_comes_first() {
        assert!(is_sorted(&[]));
        assert!(is_sorted(&["close", "close_races_reply", "crowd"]));
        assert!(!is_sorted(&["close_races_reply", "close"]));
        assert!(!is_sorted(&["close", "close"]));
    }
}
