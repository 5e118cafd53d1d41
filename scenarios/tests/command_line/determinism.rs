//! The same command in two processes gives the same answer, and every token it prints replays in a third.

use serde_json::Value;

use super::{lastref, planted};

/// All of a result that does not depend on the clock.
fn gist(result: &Value) -> Value {
    let mut result = result.clone();
    result.as_object_mut().expect("an object").remove("seconds");
    result
}

fn results(arguments: &[&str]) -> Vec<Value> {
    // Whether all is as expected is the suite's to say; here only that it is the same.
    let hunted = lastref(arguments).json();
    hunted["results"].as_array().expect("a list").iter().map(gist).collect()
}

#[test]
fn two_processes_and_any_number_of_jobs_give_the_same_results() {
    let (scenario, ..) = planted();
    let first = results(&["hunt", "--scenario", scenario, "--json", "--jobs", "1"]);
    assert_eq!(first, results(&["hunt", "--scenario", scenario, "--json", "--jobs", "1"]));
    assert_eq!(first, results(&["hunt", "--scenario", scenario, "--json", "--jobs", "4"]));
}

#[test]
fn every_token_that_a_hunt_prints_replays_in_a_new_process() {
    // Of one component, unless the tests are to be thorough: a hunt through all takes minutes without optimisation.
    let filters: &[[&str; 2]] =
        if is_thorough() { &[["--engine", "fiber"], ["--engine", "turmoil"]] } else { &[["--component", "image"]] };
    let results: Vec<Value> =
        filters.iter().flat_map(|[flag, value]| results(&["hunt", "--json", flag, value])).collect();
    let found: Vec<&Value> = results.iter().filter(|result| result["verdict"] == "violation").collect();
    assert!(!found.is_empty());
    for result in found {
        let token = result["replay"].as_str().expect("a finding has a token");
        let replayed = lastref(&["replay", token, "--json"]).code(1).json();
        for key in ["scenario", "variant", "engine", "kind", "property", "message", "trace_hash", "replay"] {
            assert_eq!(replayed[key], result[key], "{key} of {token}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how much is tested may depend on the environment; no run sees it")]
fn is_thorough() -> bool {
    std::env::var_os("LASTREF_THOROUGH").is_some()
}
