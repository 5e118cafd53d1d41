//! The three judgements of a search, and what a search that was cut short says: undecided is neither right nor wrong.

use std::process::{Child, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

use super::{Given, lastref, planted};

/// The judgements of a hunt's cells, after a check that its counts and its exit code agree with them.
#[track_caller]
fn judgements(given: &Given) -> Vec<String> {
    let hunted = given.json();
    let results = hunted["results"].as_array().expect("a list");
    let judgement = |result: &Value| result["judgement"].as_str().expect("each cell is judged").to_owned();
    let judgements: Vec<String> = results.iter().map(judgement).collect();
    let count = |wanted: &str| judgements.iter().filter(|judgement| *judgement == wanted).count();
    assert_eq!(hunted["undecided"], count("undecided"));
    assert_eq!(hunted["as_expected"], count("as_expected") == judgements.len());
    let expected = match (count("not_as_expected"), count("undecided")) {
        (0, 0) => 0,
        (0, _) => 4,
        _ => 1,
    };
    assert_eq!(given.code, expected, "{}", given.stdout);
    for result in results {
        assert_eq!(result["expected"], result["judgement"] == "as_expected");
        assert_eq!(result["verdict"] == "undecided", result["judgement"] == "undecided");
    }
    judgements
}

#[test]
fn a_defect_that_a_narrow_hunt_misses_is_undecided() {
    let arguments = ["hunt", "--engine", "fiber", "--schedules", "1"];
    let judgements = judgements(&lastref(&[&arguments[..], &["--json"]].concat()));
    assert!(judgements.iter().any(|judgement| judgement == "undecided"), "one schedule shows every defect");
    assert!(judgements.iter().all(|judgement| judgement != "not_as_expected"), "{judgements:?}");
    let text = lastref(&arguments).code(4).stdout;
    assert!(text.contains("undecided, not found so far") && text.contains(" undecided: give it more"), "{text}");
}

#[test]
fn a_hunt_that_is_out_of_time_says_what_is_undecided_and_how_long_it_needs() {
    let judged = judgements(&lastref(&["hunt", "--for", "1s", "--json"]));
    assert!(judged.iter().all(|judgement| judgement != "not_as_expected"), "{judged:?}");
    let given = lastref(&["hunt", "--for", "1s"]).code(4);
    assert!(given.stdout.contains(" undecided: give it --for "), "{}", given.stdout);
    assert!(given.stdout.contains("undecided, clean so far"), "{}", given.stdout);
    assert!(!given.stdout.contains("xpected: "), "nothing undecided is called wrong:\n{}", given.stdout);
}

#[test]
fn time_beyond_the_budget_is_used_and_leaves_a_cell_decided() {
    let (scenario, ..) = planted();
    let filter = ["--scenario", scenario, "--variant", "fixed", "--engine", "fiber"];
    let given = lastref(&[&["hunt", "--for", "2s", "--json"], &filter[..]].concat());
    let judgements = judgements(&given);
    let hunted = given.json();
    let schedules = hunted["schedules"].as_u64().unwrap();
    let enough = lastref::scenario::defaults::SCHEDULES;
    assert_eq!(judgements == ["as_expected"], schedules >= enough, "{hunted}");
    // Chunks of 32 do not end at the budget but by chance.
    assert!(schedules != enough && hunted["seconds"].as_f64() < Some(20.0), "{hunted}");
}

#[test]
fn no_time_at_all_decides_nothing_wrongly() {
    let (scenario, variant, _) = planted();
    judgements(&lastref(&["hunt", "--scenario", scenario, "--variant", variant, "--for", "1ms", "--json"]));
}

/// A hunt that would take hours, once it has made progress.
#[cfg(unix)]
fn endless(more: &[&str]) -> Child {
    use std::io::{BufRead, BufReader};
    let (scenario, variant, _) = planted();
    let mut lastref = std::process::Command::new(cargo_bin!("lastref"));
    lastref.args(["hunt", "--scenario", scenario, "--engine", "fiber", "--schedules", "1000000000"]).args(more);
    let mut child = lastref.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    // The first line of progress is the planted defect's; the clean variant goes on.
    let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    stderr.read_line(&mut line).expect("progress is text");
    assert!(line.contains(variant), "{line}");
    child
}

#[cfg(unix)]
fn stopped(child: Child, signal: &str) -> Output {
    let kill =
        std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().expect("there is a `kill`");
    assert!(kill.success());
    child.wait_with_output().expect("it was started here")
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_hunt_with_the_table_so_far_and_its_own_exit_code() {
    let (_, variant, property) = planted();
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let output = stopped(endless(&[]), signal);
        let stdout = String::from_utf8(output.stdout).unwrap();
        for part in [variant, property, "fixed", "undecided, clean so far", "; stopped, "] {
            assert!(stdout.contains(part), "no `{part}` after {signal} in\n{stdout}");
        }
        assert_eq!(output.status.code(), Some(code), "{stdout}");
    }
}

#[cfg(unix)]
#[test]
fn the_json_of_a_stopped_hunt_is_whole() {
    let output = stopped(endless(&["--json"]), "-INT");
    let hunted: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&hunted["stopped"], &hunted["undecided"], &hunted["as_expected"]),
        (&true.into(), &1.into(), &false.into())
    );
    assert_eq!(output.status.code(), Some(130));
}

/// What is seen of another process within ten seconds.
#[cfg(target_os = "linux")]
fn looks<T>(look: impl Fn() -> T) -> impl Iterator<Item = T> {
    #[expect(clippy::disallowed_methods, reason = "other processes run in real time")]
    let later = move || {
        std::thread::sleep(std::time::Duration::from_millis(10));
        look()
    };
    std::iter::repeat_with(later).take(1_000)
}

/// A search of one cell under loom that would take hours, in a process group of its own, and the process that explores
/// it.
#[cfg(target_os = "linux")]
fn endless_under_loom() -> (Child, String) {
    use std::os::unix::process::CommandExt;
    // Its exploration takes far longer than this test.
    const LONG: &str = "image/lookup_leaks_image";
    let mut lastref = std::process::Command::new(cargo_bin!("lastref"));
    lastref.args(["run", LONG, "--engine", "loom", "--schedules", "1000000000"]).process_group(0);
    let child = lastref.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
    let tasks = format!("/proc/{}/task", child.id());
    let explorer = || {
        let tasks = std::fs::read_dir(&tasks).expect("it runs").flatten();
        let mut children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        children.find_map(|children| children.split_whitespace().next().map(str::to_owned))
    };
    let explorer = looks(explorer).flatten().next().expect("it starts a process for loom");
    (child, explorer)
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_of_loom_is_ended_by_its_parent_only_and_always() {
    let stops = |explorer: &str| {
        let exists = || std::path::Path::new(&format!("/proc/{explorer}")).exists();
        assert!(looks(exists).any(|exists| !exists), "it continues");
    };
    let kill = |signal: &str, whom: String| {
        let killed = std::process::Command::new("kill").args([signal, "--", &whom]).status();
        assert!(killed.is_ok_and(|status| status.success()), "there is a `kill`");
    };
    // Ctrl-C on a terminal.
    let (child, explorer) = endless_under_loom();
    let statistics = std::fs::read_to_string(format!("/proc/{explorer}/stat")).expect("it runs");
    // After the name: the state, the parent, the process group.
    let group = statistics.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(2));
    assert_eq!(group, Some(&*explorer), "it has a process group of its own");
    kill("-INT", format!("-{}", child.id()));
    let output = child.wait_with_output().expect("it was started here");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(!stdout.contains("harness failed"), "{stdout}");
    assert_eq!(output.status.code(), Some(130), "{stdout}");
    stops(&explorer);
    // A death that leaves it no time.
    let (mut child, explorer) = endless_under_loom();
    kill("-KILL", child.id().to_string());
    child.wait().expect("it was started here");
    stops(&explorer);
}
