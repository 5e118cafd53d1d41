//! The commands of `cache-hunt`, end to end, and `docs/your-own-project.md`, which shows its code and its outputs.
//!
//! `LASTREF_UPDATE=1` writes the commands' outputs into the document.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const DEFECT: [&str; 3] = ["closed_by_last_user", "--variant", "counts_outside_lock"];

/// The result of a command.
struct Given {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the program in `folder`, in which it may save files.
fn cache_hunt(folder: &Path, arguments: &[&str]) -> Given {
    let output = Command::new(env!("CARGO_BIN_EXE_cache-hunt")).current_dir(folder).args(arguments).output();
    let output = output.expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the answer is text");
    Given { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[track_caller]
fn check(folder: &Path, arguments: &[&str], code: i32, said: &[&str]) -> Given {
    let given = cache_hunt(folder, arguments);
    let Given { stdout, stderr, .. } = &given;
    assert_eq!(given.code, Some(code), "{stdout}{stderr}");
    for part in said {
        assert!(stdout.contains(part) || stderr.contains(part), "no `{part}` in\n{stdout}{stderr}");
    }
    given
}

/// The words after `label` on a line of the output.
#[track_caller]
fn after<'a>(label: &str, text: &'a str) -> Vec<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    line.unwrap_or_else(|| panic!("no `{label}` in\n{text}")).split_whitespace().collect()
}

#[test]
fn a_printed_line_replays_and_shrinks_the_finding_with_the_projects_own_program() {
    let folder = tempfile::tempdir().expect("a folder for scratch files");
    let folder = folder.path();
    let found = check(folder, &[&["run"][..], &DEFECT].concat(), 0, &["`fd is released once` does not hold"]);
    let replay = after("replay: ", &found.stdout);
    assert_eq!(replay[..2], ["cache-hunt", "replay"]);
    check(folder, &replay[1..], 1, &["fd is released once", replay[2]]);
    let shrink = after("shrink: ", &found.stdout);
    assert_eq!(shrink[..2], ["cache-hunt", "shrink"]);
    let shrunk = check(folder, &shrink[1..], 0, &["fd is released once"]);
    let token = after("token: ", &shrunk.stdout);
    check(folder, &["replay", token[0]], 1, &["fd is released once"]);
}

#[test]
fn a_hunt_without_a_command_decides_every_cell_on_every_engine() {
    let folder = tempfile::tempdir().expect("a folder for scratch files");
    let cells = ["fiber ", "loom ", "violation: fd is released once", "\n5 of 5 as expected, "];
    let given = check(folder.path(), &[], 0, &cells);
    assert!(!given.stdout.contains("lastref"), "{}", given.stdout);
}

#[test]
fn help_and_errors_name_the_projects_own_program() {
    let folder = tempfile::tempdir().expect("a folder for scratch files");
    let folder = folder.path();
    check(folder, &["--help"], 0, &["Usage: cache-hunt ", "cache-hunt run closed_by_last_user --variant"]);
    check(folder, &["--version"], 0, &["cache-hunt, a program of lastref "]);
    let hint =
        "cache-hunt: there is no scenario `cache`; `cache` is a component, and `cache-hunt list --component cache`";
    check(folder, &["run", "cache"], 2, &[hint]);
    let elsewhere =
        "cache-hunt: no cell matches `--engine turmoil`; without the engine there are cells on fiber and loom";
    check(folder, &["list", "--engine", "turmoil"], 2, &[elsewhere]);
    let given = check(folder, &["list", DEFECT[0]], 0, &["A connection is closed once, by its last user\n"]);
    assert!(!given.stdout.contains("()"), "a scenario without a report has no empty one:\n{}", given.stdout);
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of `text` that begin with a line of three backticks and `language`.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    text.split(&begin).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_document_shows_the_code_of_the_project() {
    let document = read(&project().join("../../../docs/your-own-project.md"));
    let files = ["src/main.rs", "src/lib.rs", "src/model.rs", "src/cache/closed_by_last_user.rs", "tests/hunt.rs"];
    // Whole lines: a block may not begin in the middle of one.
    let files = files.map(|file| format!("\n{}", read(&project().join(file))));
    let shown: Vec<String> = blocks(&document, "rust").iter().map(|block| format!("\n{block}")).collect();
    for block in &shown {
        assert!(files.iter().any(|file| file.contains(block)), "no file of the project has{block}");
    }
    for (file, nth) in files.iter().zip(0..) {
        assert!(shown.iter().any(|block| file.contains(block)), "the document shows nothing of file {nth}");
    }
}

/// The output of the command, without its duration, and with the paths of a project that is its own workspace.
fn printed(command: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder for scratch files");
    let given = check(folder.path(), &command.split_whitespace().collect::<Vec<_>>(), 0, &[]);
    let lines = given.stdout.trim_end().lines().map(|line| match line.split_once(" s, ") {
        Some((counts, repeated)) if counts.contains(" schedules in ") => {
            format!("{}, {repeated}", counts.rsplit_once(" in ").unwrap_or_default().0)
        }
        _ => match line.rsplit_once(", ") {
            Some((counts, time)) if time.ends_with(" s") && counts.contains(" schedule") => counts.to_owned(),
            _ => line.replace("sim/hunt/example/", ""),
        },
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_document_shows_what_the_commands_print() {
    const COMMAND: &str = "```console\n$ cargo run --release -- ";
    const END: &str = "```\n";
    let path = project().join("../../../docs/your-own-project.md");
    let document = read(&path);
    let mut parts = document.split(COMMAND);
    let mut now = parts.next().unwrap_or_default().to_owned();
    let mut commands = 0;
    for part in parts {
        let (block, rest) = part.split_once(END).expect("a block has an end");
        let (command, _) = block.split_once('\n').expect("a command ends its line");
        now.extend([COMMAND, command, "\n", &printed(command), "\n", END, rest]);
        commands += 1;
    }
    assert_eq!(commands, 3, "the document shows three commands with what they print");
    if is_set("LASTREF_UPDATE") {
        fs::write(&path, &now).expect("the document can be written");
    } else {
        assert!(now == document, "the document should be\n{now}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a generated document is rewritten on request; no run sees it")]
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some()
}
