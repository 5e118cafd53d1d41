//! The documents show commands with what they print. Here each is run, and compared with what is shown.
//!
//! `LASTREF_UPDATE=1` writes what the commands print into the documents.

use std::fs;
use std::path::{Path, PathBuf};

use super::{is_set, lastref};

/// The beginning of a block with such a command.
const COMMAND: &str = "```console\n$ cargo run --release -- ";
const END: &str = "\n```\n";

/// Longer lines are wrapped, at a space, for readers of the file.
const WIDTH: usize = 120;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What the command prints, without the time that it took.
fn printed(command: &str) -> String {
    let given = lastref(&command.split_whitespace().collect::<Vec<_>>());
    let lines = given.stdout.trim_end().lines().map(|line| match line.rsplit_once(", ") {
        Some((counts, time)) if time.ends_with(" s") && counts.contains(" schedule") => counts.to_owned(),
        _ => line.to_owned(),
    });
    lines.map(wrapped).collect::<Vec<_>>().join("\n")
}

fn wrapped(line: String) -> String {
    if line.chars().count() <= WIDTH {
        return line;
    }
    match line.char_indices().rfind(|(at, char)| *char == ' ' && *at < WIDTH) {
        Some((at, _)) => format!("{}\n  {}", &line[..at], wrapped(line[at + 1..].to_owned())),
        None => line,
    }
}

#[test]
fn a_document_shows_what_its_commands_print() {
    let update = is_set("LASTREF_UPDATE");
    let mut commands = 0;
    for document in ["README.md", "docs/writing-a-scenario.md"] {
        let path = root().join(document);
        let text = fs::read_to_string(&path).expect("the document is there");
        let mut parts = text.split(COMMAND);
        let mut now = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (block, rest) = part.split_once(END).expect("a block has an end");
            let (command, shown) = block.split_once('\n').expect("a command is followed by what it prints");
            // loom takes ten seconds without optimisation.
            let is_skipped = command.contains("--engine loom") && !update && !is_set("LASTREF_THOROUGH");
            let printed = if is_skipped { shown.to_owned() } else { printed(command) };
            assert!(update || shown == printed, "{document}: `{command}` shows\n{shown}\nand prints\n{printed}");
            now.extend([COMMAND, command, "\n", &printed, END, rest]);
            commands += 1;
        }
        if update {
            fs::write(&path, now).expect("the document can be written");
        }
    }
    assert_eq!(commands, 4, "the documents show four commands with what they print");
}
