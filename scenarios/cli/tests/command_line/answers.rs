//! What each command answers when it is asked well.

use std::fs;
use std::process::Stdio;

use assert_cmd::cargo::cargo_bin;
use scenarios::SCENARIOS;
use serde_json::Value;

use super::{lastref, lastref_in, planted, planted_token};

const RESULT_KEYS: [&str; 23] = [
    "faults",
    "rechecked",
    "scenario",
    "complete",
    "component",
    "variant",
    "engine",
    "strategy",
    "seed",
    "schedules",
    "steps",
    "verdict",
    "expected",
    "judgement",
    "kind",
    "property",
    "message",
    "never_reached",
    "preemptions",
    "replay",
    "repro",
    "trace_hash",
    "seconds",
];

#[track_caller]
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn sorted(mut keys: Vec<&str>) -> Vec<&str> {
    keys.sort_unstable();
    keys
}

#[test]
fn a_hunt_ends_with_a_table_and_exit_code_0_when_all_is_as_expected() {
    let (scenario, variant, property) = planted();
    let given = lastref(&["hunt", "--scenario", scenario]).code(0);
    for word in ["schedules", "first finding", "fixed", variant, property, "lr2:", "as expected"] {
        assert!(given.stdout.contains(word), "no `{word}` in\n{}", given.stdout);
    }
    assert!(given.stderr.lines().any(|line| line.contains(&format!("{scenario}/{variant}/fiber: violation"))));
}

#[test]
fn a_hunt_through_many_cells_ends_with_one_screen_and_a_file_of_all_cells() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["hunt", "--component", "context_pool", "--engine", "fiber", "--schedules", "100"];
    let given = lastref_in(folder.path(), &arguments);
    let screen: Vec<&str> = given.stdout.lines().collect();
    assert!(screen.len() <= 45, "{} lines:\n{}", screen.len(), given.stdout);
    // A token is never broken.
    let wide = screen.iter().find(|line| line.chars().count() > 100 && !line.contains("lr2:"));
    assert_eq!(wide, None, "{}", given.stdout);
    let examples =
        SCENARIOS.all().into_iter().flat_map(|it| it.expectations().into_iter().map(move |said| (it.name(), said)));
    let (scenario, said) = examples.into_iter().find(|(_, said)| said.is_example).expect("one defect is the example");
    let variant = said.variant;
    for part in ["defects found", scenario, variant, "lastref replay lr2:", ".lastref/hunt.txt"] {
        assert!(given.stdout.contains(part), "no `{part}` in\n{}", given.stdout);
    }
    assert!(given.stderr.lines().count() <= 12, "{}", given.stderr);
    let cells = fs::read_to_string(folder.path().join(".lastref/hunt.txt")).unwrap();
    let fiber = |it: &&lastref::scenario::Scenario| {
        it.component() == "context_pool" && it.engines().contains(&lastref::Engine::Fiber)
    };
    let all = SCENARIOS.all();
    let expected: usize = all.iter().filter(fiber).map(|it| it.expectations().len()).sum();
    assert_eq!(cells.lines().filter(|line| line.contains(" ┆ fiber ")).count(), expected, "{cells}");

    let verbose = lastref_in(folder.path(), &[&arguments[..], &["--verbose"]].concat());
    assert_eq!(verbose.stdout.lines().filter(|line| line.contains(" ┆ fiber ")).count(), expected);
    assert_eq!(verbose.stderr.lines().count(), expected, "a line for each cell:\n{}", verbose.stderr);
}

#[test]
fn a_folder_that_cannot_be_written_costs_the_file_of_all_cells_and_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), b"kept").unwrap();
    let arguments = ["hunt", "--component", "context_pool", "--engine", "fiber", "--schedules", "1", "--dir", "file"];
    let given = lastref_in(folder.path(), &arguments).code(4);
    assert!(given.stderr.contains("cannot be saved") && given.stderr.contains("--verbose"), "{}", given.stderr);
    assert!(given.stdout.contains("defects found"), "{}", given.stdout);
    assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"kept");
}

#[test]
fn the_shapes_of_json_are_as_documented() {
    let (scenario, variant, property) = planted();
    let hunted = lastref(&["--scenario", scenario, "--json"]).code(0).json();
    assert_eq!(keys(&hunted), ["as_expected", "results", "schedules", "seconds", "stopped", "undecided"]);
    let results = hunted["results"].as_array().unwrap();
    let total: u64 = results.iter().map(|result| result["schedules"].as_u64().unwrap()).sum();
    assert_eq!((hunted["schedules"].as_u64(), hunted["as_expected"].as_bool()), (Some(total), Some(true)));
    for result in results {
        assert_eq!(keys(result), sorted(RESULT_KEYS.to_vec()));
        assert_eq!((&result["judgement"], &result["expected"]), (&"as_expected".into(), &true.into()));
    }

    let clean = lastref(&["run", scenario, "--schedules", "20", "--json"]).code(0).json();
    assert_eq!(keys(&clean), sorted(RESULT_KEYS.to_vec()));
    assert_eq!(
        (&clean["verdict"], &clean["schedules"], &clean["expected"]),
        (&"clean".into(), &20.into(), &true.into())
    );
    for absent in ["kind", "property", "message", "replay", "repro"] {
        assert_eq!(clean[absent], Value::Null, "{absent}");
    }

    let found = lastref(&["run", scenario, "--variant", variant, "--json"]).code(0).json();
    assert_eq!((&found["verdict"], &found["property"]), (&"violation".into(), &property.into()));
    assert_eq!((&found["expected"], &found["repro"]), (&true.into(), &Value::Null));
}

#[test]
fn a_hunt_on_the_network_says_which_faults_hit_when_and_how_many_runs_were_made_again() {
    let hunted = lastref(&["--engine", "turmoil", "--scenario", "net_reset_at_a_byte", "--schedules", "200", "--json"]);
    let result = &hunted.code(0).json()["results"][0];
    assert!(result["faults"]["reset"]["handshake"].as_u64() > Some(0), "{result}");
    assert!(result["rechecked"].as_u64() > Some(0), "{result}");
    let unchecked = lastref(&["--scenario", "net_reset_at_a_byte", "--schedules", "200", "--recheck", "0", "--json"]);
    let unchecked = &unchecked.code(0).json()["results"][0];
    assert_eq!((&unchecked["rechecked"], &unchecked["trace_hash"]), (&0.into(), &result["trace_hash"]));
}

#[test]
fn the_list_says_what_each_variant_must_do() {
    let (scenario, variant, property) = planted();
    for arguments in [&["list", scenario][..], &["list", "--verbose"]] {
        let text = lastref(arguments).code(0).stdout;
        assert!(text.contains(scenario) && text.contains(variant) && text.contains(property), "{text}");
    }
    let listed = lastref(&["list", "--json"]).code(0).json();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), SCENARIOS.all().len());
    for scenario in listed {
        assert_eq!(keys(scenario), ["about", "component", "engines", "scenario", "upstream", "variants"]);
        for variant in scenario["variants"].as_array().unwrap() {
            assert_eq!(keys(variant), ["expect", "property", "variant"]);
            assert_eq!(variant["expect"] == "clean", variant["property"].is_null());
        }
    }
}

#[test]
fn the_list_has_a_line_for_each_scenario_that_the_filters_leave() {
    let all = SCENARIOS.all();
    let components = all.iter().map(|it| it.component()).collect::<std::collections::BTreeSet<_>>().len();
    let lines = |arguments: &[&str]| lastref(&[&["list"], arguments].concat()).code(0).stdout.lines().count();
    assert_eq!(lines(&[]), all.len() + components);
    let on_network = all.iter().filter(|it| it.engines().contains(&lastref::Engine::Turmoil)).count();
    assert_eq!(lines(&["--engine", "turmoil"]), on_network + components);
    let with = all.iter().filter(|it| it.component() == "image" && it.expectation("lookup_double_retain").is_some());
    assert_eq!(lines(&["--component", "image", "--variant", "lookup_double_retain"]), with.count() + 1);
    let sentence = lastref(&["list", "--component", "imag"]).refusal();
    assert!(sentence.contains("nearest is `image`"), "{sentence}");
}

#[test]
fn a_run_shows_the_failure_and_the_line_that_replays_it() {
    let (scenario, variant, property) = planted();
    let text = lastref(&["run", scenario, "--variant", variant]).code(0).stdout;
    assert!(text.contains(property) && text.contains("lr2:"), "{text}");
}

#[test]
fn a_defect_on_real_threads_may_or_may_not_show() {
    let (scenario, variant, _) = planted();
    let run = lastref(&["run", scenario, "--variant", variant, "--engine", "threads", "--schedules", "5", "--json"]);
    assert_eq!(run.code(0).json()["engine"], "threads");
}

#[test]
fn a_replay_exits_with_1_and_shows_the_table() {
    let token = planted_token();
    let (_, _, property) = planted();
    let given = lastref(&["replay", &token]).code(1);
    assert!(given.stdout.contains(property) && given.stdout.contains(&token), "{}", given.stdout);
    assert_eq!(given.stderr, "");
}

#[test]
fn a_token_may_have_spaces_around_it() {
    let given = lastref(&["replay", &format!("  {}\t\n", planted_token())]).code(1);
    assert!(given.stdout.contains(&planted_token()), "{}", given.stdout);
}

#[test]
fn a_shrunk_case_is_saved_and_replays_by_its_token_and_by_its_file() {
    let (_, _, property) = planted();
    let folder = tempfile::tempdir().unwrap();
    let given = lastref_in(folder.path(), &["shrink", &planted_token()]).code(0);
    let said = |label: &str| {
        let line = given.stdout.lines().find_map(|line| line.strip_prefix(label));
        line.unwrap_or_else(|| panic!("no `{label}` in\n{}", given.stdout)).to_owned()
    };
    let (path, token) = (said("saved: "), said("token: "));
    let by_file = lastref_in(folder.path(), &["replay", &path, "--json"]).code(1).json();
    let by_token = lastref_in(folder.path(), &["replay", &token, "--json"]).code(1).json();
    assert_eq!(by_file["property"], property);
    for key in ["property", "trace_hash", "replay", "repro"] {
        assert_eq!(by_file[key], by_token[key], "{key}");
    }

    // Shrinking again finds the same case, and leaves the file as it is.
    let before = fs::read(folder.path().join(&path)).unwrap();
    lastref_in(folder.path(), &["shrink", &token]).code(0);
    assert_eq!(fs::read(folder.path().join(&path)).unwrap(), before);

    // In another folder the token alone is not enough, and `--dir` names where it is.
    let elsewhere = tempfile::tempdir().unwrap();
    lastref_in(elsewhere.path(), &["replay", &token]).code(2);
    let saved = folder.path().join(".lastref");
    lastref_in(elsewhere.path(), &["replay", &token, "--dir", saved.to_str().unwrap()]).code(1);
}

#[test]
fn nothing_but_a_terminal_gets_colours() {
    let (scenario, ..) = planted();
    let mut lastref = assert_cmd::cargo::cargo_bin_cmd!("lastref");
    let output = lastref.args(["hunt", "--scenario", scenario]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b));
}

#[test]
fn a_reader_who_leaves_early_ends_the_program_quietly() {
    for arguments in [&["list"][..], &["list", "--json"], &["--help"]] {
        let mut child = spawned(arguments);
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn a_hunt_whose_progress_is_not_read_ends_as_any_other() {
    let (scenario, ..) = planted();
    // As with `2>&1 | head -1`: neither stream has a reader.
    let mut child = spawned(&["hunt", "--scenario", scenario]);
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn spawned(arguments: &[&str]) -> std::process::Child {
    let mut lastref = std::process::Command::new(cargo_bin!("lastref"));
    lastref.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
}

#[test]
fn the_help_says_the_exit_codes() {
    let commands: [&[&str]; 5] = [&[], &["hunt"], &["run"], &["replay"], &["shrink"]];
    for command in commands {
        let arguments = [command, &["--help"]].concat();
        let help = lastref(&arguments).code(0).stdout;
        assert!(help.contains("Exit codes:") && help.contains("undecided"), "{help}");
    }
}
