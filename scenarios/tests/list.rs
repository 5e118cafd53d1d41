//! The list as a whole: names, plans within their bounds, and expectations that a hunt checks.
//!
//! Not unit tests of the library: with these, cargo would compile every scenario twice.

use lastref::scenario::{Hint, nearest};
use scenarios::SCENARIOS;
use serde_json::Value;

#[test]
fn a_scenario_is_found_by_its_bare_and_its_full_name_and_under_no_other_component() {
    for scenario in SCENARIOS.all() {
        let full = format!("{}/{}", scenario.component(), scenario.name());
        assert_eq!(SCENARIOS.find(scenario.name()).map(|found| found.name()), Ok(scenario.name()));
        assert_eq!(SCENARIOS.find(&full).map(|found| found.name()), Ok(scenario.name()));
        let foreign = SCENARIOS.find(&format!("elsewhere/{}", scenario.name())).map(|found| found.name());
        let hint = Some(Hint::OfComponent(scenario.component()));
        assert_eq!(foreign.map_err(|unknown| unknown.hint), Err(hint));
    }
}

#[test]
fn the_list_is_one_that_commands_run() {
    assert_eq!(SCENARIOS.check(), Ok(()));
}

#[test]
fn a_name_that_is_far_from_every_scenarios_is_not_answered_with_one() {
    let all = SCENARIOS.all();
    for far in ["nosuch", "x", "", "zzzz", "net", "a_scenario_of_mine"] {
        let found = nearest(far, all.iter().map(|scenario| scenario.name()));
        assert!(found.is_none_or(|found| found.contains(far)), "`{far}` is not near `{found:?}`");
    }
    assert_eq!(nearest("nosuch", all.iter().map(|scenario| scenario.name())), None);
}

/// Every number in a value, as a JSON pointer.
fn numbers(value: &Value, here: &str) -> Vec<String> {
    match value {
        Value::Number(_) => vec![here.to_owned()],
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(nth, item)| numbers(item, &format!("{here}/{nth}"))).collect()
        }
        Value::Object(fields) => {
            fields.iter().flat_map(|(key, field)| numbers(field, &format!("{here}/{key}"))).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn every_plan_that_is_generated_is_within_bounds_and_every_number_has_one() {
    /// A fault at a byte or a connection that never occurs has no effect, and a word of a frame may have any value.
    const UNBOUNDED: [&str; 3] = ["/after_bytes", "/connection", "/answers"];
    for scenario in SCENARIOS.all() {
        let case = scenario.case("fixed").expect("every scenario has a fixed variant");
        // More seeds find no other field; a plan out of bounds panics here.
        for seed in 0..100 {
            let plan = case.plan(seed);
            assert_eq!(case.check_plan(&plan), Ok(()), "{scenario:?}");
            for number in numbers(&plan, "") {
                if UNBOUNDED.iter().any(|field| number.contains(field)) {
                    continue;
                }
                let mut wild = plan.clone();
                let place = wild.pointer_mut(&number).expect("a place in this plan");
                *place = (1_u64 << 31).into();
                let bad = case.check_plan(&wild).expect_err(&number).to_string();
                assert!(bad.contains("2147483648"), "{scenario:?} {number}: {bad}");
            }
        }
    }
}

#[test]
fn every_variant_with_an_expectation_has_a_case() {
    for scenario in SCENARIOS.all() {
        for said in scenario.expectations() {
            let case = scenario.case(said.variant).expect("a variant with an expectation has a case");
            assert_eq!(case.engines(), scenario.engines(), "{scenario:?}");
        }
    }
}

#[test]
fn every_expectation_is_checked_by_a_hunt() {
    for scenario in SCENARIOS.all() {
        assert_eq!(scenario.unchecked(), [""; 0], "{scenario:?}");
    }
}
