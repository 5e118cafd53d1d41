//! The same command in two processes gives the same answer, and every token it prints replays in a third.

use std::fs;
use std::process::{Child, Command, Stdio};

use lastref::Engine;
use scenarios::SCENARIOS;
use serde_json::Value;

use super::{given, is_set, lastref, planted};

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
    let filters: &[[&str; 2]] = if is_set("LASTREF_THOROUGH") {
        &[["--engine", "fiber"], ["--engine", "turmoil"]]
    } else {
        &[["--component", "image"]]
    };
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

/// A rebuild removes the program's file, or puts another in its place. loom's cells run in child processes of the
/// program that runs.
#[test]
fn a_search_under_loom_ends_as_any_other_although_the_file_of_its_program_is_gone() {
    let all = SCENARIOS.all();
    let small = all.iter().find(|scenario| scenario.engines().contains(&Engine::Loom)).expect("some are small");
    let arguments = ["hunt", "--scenario", small.name(), "--engine", "loom", "--schedules", "200", "--json"];
    let expected = lastref(&arguments);
    let folder = tempfile::tempdir().expect("a folder for a copy of the program");
    let copy = folder.path().join("lastref");
    fs::copy(assert_cmd::cargo::cargo_bin!("lastref"), &copy).expect("a copy of the program");
    let mut command = Command::new(&copy);
    let child = command.current_dir(&folder).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    fs::write(folder.path().join("other"), "#!/bin/sh\nexit 0\n").expect("another program");
    // The other program takes the place of the first in one step, as a build does it.
    fs::rename(folder.path().join("other"), &copy).expect("it is replaced");
    let found = given(child.and_then(Child::wait_with_output).expect("it runs")).code(expected.code);
    let gists = |answer: &Value| answer["results"].as_array().expect("a list").iter().map(gist).collect::<Vec<_>>();
    assert_eq!(gists(&found.json()), gists(&expected.json()));
}
