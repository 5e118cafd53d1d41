//! docs/cargo-lastref.md shows a program, its finding, the fix, and the commands' outputs. These tests run all of it.
//!
//! Times are not compared. `…` in the page stands for any text within a word.

mod scratch;

use std::io::{Read, Seek};

use scratch::{Run, Scratch};

const PAGE: &str = include_str!("../../../../docs/cargo-lastref.md");
const MANIFEST: &str = "[package]\nname = \"gate\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";

/// The blocks of this language in the part of the page that begins with this heading.
fn blocks(heading: &str, language: &str) -> Vec<&'static str> {
    let (_, part) = PAGE.split_once(&format!("\n## {heading}\n")).expect("the page has the heading");
    let part = part.split_once("\n## ").map_or(part, |(part, _)| part);
    let begins = format!("```{language}\n");
    part.split(&begins).skip(1).map(|block| block.split_once("```").expect("a block has an end").0).collect()
}

/// The commands of a block, each with the lines that follow it.
fn commands(block: &'static str) -> Vec<(&'static str, Vec<&'static str>)> {
    let command = |text: &'static str| {
        let (command, shown) = text.split_once('\n').expect("a command is followed by what it prints");
        (command.strip_prefix("cargo lastref ").expect("a command of cargo lastref"), shown.lines().collect())
    };
    block.split("$ ").skip(1).map(command).collect()
}

/// The two streams in the order of their lines, as a terminal shows them.
fn printed(scratch: &Scratch, command: &str) -> String {
    let mut file = tempfile::tempfile().expect("a scratch file");
    let stream = || file.try_clone().expect("a file can be shared");
    let mut command = scratch.command(&command.split_whitespace().collect::<Vec<_>>());
    command.stdout(stream()).stderr(stream()).status().expect("the program starts");
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("the output is text");
    text
}

/// Lines that only the first call in a folder, or for a compiler, prints.
fn is_once(line: &str) -> bool {
    ["Building", "Built", "Blocking", "Locking"].iter().any(|word| line.trim_start().starts_with(word))
}

fn is_time(word: &str) -> bool {
    let number = word.trim_start_matches('[').trim_end_matches(']').strip_suffix('s');
    number.is_some_and(|number| number.parse::<f64>().is_ok())
}

fn is_same(shown: &str, word: &str) -> bool {
    match shown.split_once('…') {
        Some((begin, end)) => word.starts_with(begin) && word.ends_with(end),
        None => shown == word || (is_time(shown) && is_time(word)),
    }
}

#[track_caller]
fn compare(command: &str, shown: &[&str], printed: &str) {
    let lines: Vec<&str> = printed.lines().filter(|line| !is_once(line)).collect();
    let words = |line: &str| line.replace('[', "[ ").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let is_line = |(shown, line): (&&str, &&str)| {
        let (shown, line) = (words(shown), words(line));
        shown.len() == line.len() && shown.iter().zip(&line).all(|(shown, word)| is_same(shown, word))
    };
    let is_all = shown.len() == lines.len() && shown.iter().zip(&lines).all(is_line);
    assert!(is_all, "`cargo lastref {command}` is shown with\n{}\nand prints\n{printed}", shown.join("\n"));
}

#[test]
fn the_page_shows_what_its_commands_print() {
    const HEADING: &str = "From a test to a fixed bug";
    let programs = blocks(HEADING, "rust");
    let [program, fix] = programs.as_slice() else { panic!("a program and its fix: {programs:?}") };
    let transcripts: Vec<_> = blocks(HEADING, "console").into_iter().flat_map(commands).collect();
    let [(search, found), (_, replayed), (longer, passed)] = transcripts.as_slice() else {
        panic!("a search, a replay and a longer search: {transcripts:?}")
    };

    let scratch = Scratch::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", program)]);
    let folder = |text: String| text.replace(&scratch.path().display().to_string(), "…/gate");
    let text = folder(printed(&scratch, search));
    compare(search, found, &text);

    let token = Run { stdout: text, stderr: String::new(), code: None }.token().to_owned();
    let (before, methods) = program.split_once("impl Gate {\n").expect("the program has the methods");
    let (_, after) = methods.split_once("\n}\n").expect("an implementation has an end");
    let fixed = format!("{before}impl Gate {{\n{fix}}}\n{after}");
    assert_ne!(fixed, **program);
    scratch.write("src/lib.rs", &fixed);
    compare("replay", replayed, &without_cargo(&folder(printed(&scratch, &format!("replay {token}")))));
    compare(longer, passed, &without_cargo(&folder(printed(&scratch, longer))));
}

/// The second transcript leaves out cargo's lines.
fn without_cargo(text: &str) -> String {
    let is_cargo = |line: &&str| ["Compiling", "Finished"].iter().any(|word| line.trim_start().starts_with(word));
    text.lines().filter(|line| !is_cargo(line)).map(|line| format!("{line}\n")).collect()
}
