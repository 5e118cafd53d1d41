//! Bad usage and bad input: exit code 2, one sentence with the input in it, and nothing lost.

use std::fs;
use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;
use lastref::Engine;
use scenarios::SCENARIOS;

use super::{given, lastref, lastref_in, planted, planted_token};

#[track_caller]
fn check(arguments: &[&str], said: &[&str]) {
    let sentence = lastref(arguments).refusal();
    for part in said {
        assert!(sentence.contains(part), "no `{part}` in: {sentence}");
    }
}

/// A slip of the fingers: the last letter is missing.
fn slipped(name: &str) -> &str {
    &name[..name.len() - 1]
}

#[test]
fn names_that_do_not_exist() {
    let (scenario, variant, _) = planted();
    check(&["run", slipped(scenario)], &[slipped(scenario), &format!("nearest is `{scenario}`")]);
    check(&["hunt", "--scenario", slipped(scenario)], &[&format!("nearest is `{scenario}`")]);
    check(&["run", scenario, "--variant", slipped(variant)], &[&format!("nearest is `{variant}`")]);
    check(&["hunt", "--variant", slipped(variant)], &[&format!("nearest is `{variant}`")]);
    check(&["hunt", "--component", "context_pol"], &["`context_pol`", "nearest is `context_pool`"]);
    check(&["hunt", "--engine", "shutle"], &["'shutle'", "nearest is `shuttle`"]);
    check(&["hunt", "--strategy", "rndom"], &["'rndom'", "nearest is `random`"]);
    check(&["hunt", "--variant", variant, "--engine", "threads"], &[variant, "threads", "fiber"]);
    let all = SCENARIOS.all();
    let without = all.iter().find(|it| !it.engines().contains(&Engine::Loom)).expect("not all are small");
    let without = without.name();
    let ask = |engine| ["hunt", "--scenario", without, "--engine", engine];
    let refusal = lastref(&ask("loom")).refusal();
    assert!(refusal.ends_with("cells on fiber\n") || refusal.ends_with("cells on fiber"), "{refusal}");
    let other = all.iter().flat_map(|it| it.expectations()).find(|said| all[0].expectation(said.variant).is_none());
    let other = other.expect("no scenario speaks of every variant").variant;
    check(&["run", all[0].name(), "--variant", other], &["has no expectation of", other, "fixed"]);
    check(&["replay", "no/such/folder/case"], &["no/such/folder/case", "cannot read"]);
}

#[test]
fn a_name_that_is_far_from_every_name_gets_no_suggestion() {
    let (scenario, ..) = planted();
    let asked: [&[&str]; 4] = [
        &["run", "nosuch"],
        &["hunt", "--scenario", "nosuch"],
        &["hunt", "--component", "nosuch"],
        &["run", scenario, "--variant", "nosuch"],
    ];
    for arguments in asked {
        let sentence = lastref(arguments).refusal();
        assert!(sentence.contains("`nosuch`") && !sentence.contains("nearest"), "{sentence}");
    }
}

#[test]
fn a_component_in_place_of_a_scenario_is_told_with_the_command_that_lists_it() {
    let component = SCENARIOS.all()[0].component();
    let remedy = format!("`{component}` is a component, and `lastref list --component {component}` shows");
    for arguments in [&["list", component][..], &["run", component], &["hunt", "--scenario", component]] {
        check(arguments, &[&remedy]);
    }
}

#[test]
fn names_of_another_component_are_named_with_it() {
    let all = SCENARIOS.all();
    let (first, last) = (&all[0], &all[all.len() - 1]);
    assert_ne!(first.component(), last.component());
    let has_it = format!("component `{}` has one", last.component());
    let full = format!("{}/{}", first.component(), last.name());
    check(&["run", &full], &[&full, &has_it]);
    check(&["hunt", "--component", first.component(), "--scenario", last.name()], &[last.name(), &has_it]);
    let variant = last.expectations().iter().map(|said| said.variant).find(|variant| *variant != "fixed");
    let variant = variant.expect("a planted defect");
    check(&["run", first.name(), "--variant", variant], &[variant, &has_it]);
    check(&["hunt", "--component", first.component(), "--variant", variant], &[variant, &has_it]);
}

#[test]
fn control_characters_of_an_input_do_not_reach_the_terminal() {
    for input in ["lr2:\u{1b}[2J", "a\nb/c", "no\tsuch\r\n"] {
        for arguments in [["replay", input], ["run", input], ["hunt", input]] {
            let sentence = lastref(&arguments).refusal();
            assert!(!sentence.chars().any(char::is_control), "{sentence:?}");
        }
    }
}

#[test]
fn numbers_that_are_none() {
    check(&["hunt", "--schedules", "0"], &["'0'", "--schedules", "minimum is 1"]);
    check(&["hunt", "--schedules", "many"], &["'many'", "--schedules"]);
    check(&["hunt", "--schedules", "-1"], &["'-1'"]);
    check(&["hunt", "--jobs", "0"], &["'0'", "--jobs", "minimum is 1"]);
    check(&["hunt", "--recheck", "101"], &["'101'", "--recheck", "from 0 to 100"]);
    check(&["hunt", "--recheck", "some"], &["'some'", "--recheck"]);
    check(&["hunt", "--for", "0s"], &["'0s'", "--for"]);
    check(&["hunt", "--for", "20"], &["'20'", "20s"]);
    check(&["hunt", "--for", "-1s"], &["'-1s'", "--for", "20s"]);
    check(&["hunt", "--for", "99999999999999999999s"], &["--for", "too long"]);
    check(&["hunt", "--strategy", "pct100"], &["`pct100`", "pct1 to pct99"]);
    check(&["hunt", "--seed", "-1"], &["`-1` is not a seed", "from 0 to 2^64 - 1"]);
    check(&["hunt", "--seed", "-0x1"], &["`-0x1` is not a seed"]);
    check(&["hunt", "--jobs", "-1"], &["'-1'", "--jobs"]);
    check(&["hunt", "--seed", "0xyz"], &["'0xyz'", "0x11"]);
    check(&["hunt", "--seed", "0x10000000000000000"], &["64 bits"]);
}

#[test]
fn flags_and_commands_that_do_not_exist() {
    check(&["hunt", "--schedule", "3"], &["'--schedule'", "'--schedules'"]);
    check(&["lst"], &["'lst'", "'list'"]);
    check(&["run"], &["<SCENARIO>"]);
    check(&["replay"], &["<TOKEN-or-FILE>"]);
    check(&["list", "extra"], &["`extra`"]);
    check(&["list", "a", "b"], &["'b'"]);
}

#[test]
fn tokens_that_are_none() {
    let token = planted_token();
    for cut in 0..token.len() {
        let Some(part) = token.get(..cut).filter(|part| !part.is_empty()) else { continue };
        let sentence = lastref(&["replay", part]).refusal();
        assert!(sentence.contains(part), "{sentence}");
    }
    check(&["replay", &token.replacen("lr2:", "lr9:", 1)], &["lr9:", "a newer version of lastref"]);
    check(&["replay", &format!(" {}", token.replacen("lr2:", "lr1:", 1))], &["lr1:", "an older version of lastref"]);
    check(&["replay", "https://example.org/"], &["https://example.org/"]);
    let (scenario, variant, _) = planted();
    check(&["replay", &token.replacen(scenario, "elsewhere", 1)], &["elsewhere"]);
    check(&["replay", &token.replacen(variant, "fixed", 1)], &["fixed"]);
    check(&["replay", ""], &[]);
    check(&["replay", "/dev/zero"], &["/dev/zero", "not a regular file"]);
}

#[test]
fn files_that_are_no_saved_case() {
    let folder = tempfile::tempdir().unwrap();
    lastref_in(folder.path(), &["shrink", &planted_token()]).code(0);
    let saved = fs::read_dir(folder.path().join(".lastref")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&saved).unwrap();

    let refuse = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        for command in ["replay", "shrink"] {
            let sentence = lastref_in(folder.path(), &[command, name]).refusal();
            assert!(sentence.contains(name), "{sentence}");
        }
        assert_eq!(fs::read(&path).unwrap(), content, "a refused file is left as it was");
    };
    refuse("empty.repro", b"");
    refuse("truncated.repro", &text.as_bytes()[..text.len() / 2]);
    refuse("foreign.repro", b"{\"some\": \"other\"}");
    refuse("binary.repro", &[0xff, 0xfe, 0x00, 0x80]);
    let other_version = text.replacen("\"version\": 4", "\"version\": 999", 1);
    assert_ne!(text, other_version);
    refuse("version.repro", other_version.as_bytes());

    assert!(lastref_in(folder.path(), &["replay", "missing.repro"]).refusal().contains("missing.repro"));
    assert!(lastref_in(folder.path(), &["replay", "."]).refusal().contains('.'));
}

#[test]
fn a_folder_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    // A folder below a file cannot be made, even by a superuser, whom permissions do not stop.
    fs::write(folder.path().join("file"), b"kept").unwrap();
    let below = Path::new("file").join("below");
    let below = below.to_str().unwrap();
    let sentence = lastref_in(folder.path(), &["shrink", &planted_token(), "--dir", below]).refusal();
    assert!(sentence.contains(below), "{sentence}");
    assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"kept");
}

#[test]
fn the_variable_of_our_own_processes() {
    let output = cargo_bin_cmd!("lastref").env("LASTREF_LOOM_CELL", "bananas").arg("list").output();
    let sentence = given(output.expect("the binary runs")).refusal();
    assert!(sentence.contains("LASTREF_LOOM_CELL") && sentence.contains("unset it"), "{sentence}");
}
