//! Judges the answer to an input: whether it shows a fault of the program.
//!
//! A wrong answer misleads its reader: two replays with different answers, an accepted token that names another run
//! than the one that was executed, an edited case that is reported as unedited, an unreasonable plan that is reported
//! as a bug of the component.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lastref::explore::Engine;
use lastref::replay::Token;
use lastref_hunt::{self as cli, Answer, Exit};
use scenarios::SCENARIOS;
use serde_json::Value;

use super::CEILING;
use super::corpus::words;
use super::input::{File, Input, Kind};

/// The kind of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// One sentence says what is wrong with the input.
    Refused,
    /// The run violates nothing, or the command gave the requested output.
    Clean,
    /// The run violates a property, or a verdict is not the expected one.
    Finding,
    /// The input is valid, but names an exploration by loom or on real threads. It is not executed here: it takes long,
    /// or cannot be repeated.
    Read,
    /// The program has a fault.
    Fault,
}

/// The judgement of one input.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The kind of the answer.
    pub outcome: Outcome,
    /// The fault of the answer, if it has one.
    pub fault: Option<String>,
}

impl Judgement {
    fn fault(fault: impl Into<String>) -> Judgement {
        Judgement { outcome: Outcome::Fault, fault: Some(fault.into()) }
    }
}

/// Runs the command line on the input, and judges its answer.
pub fn judge(input: &Input) -> Judgement {
    if let Some(File { path, content, .. }) = &input.file
        && let Err(error) = fs::write(path, content)
    {
        return Judgement::fault(format!("the input cannot be written to {}: {error}", path.display()));
    }
    if is_read_only(input) {
        return Judgement { outcome: Outcome::Read, fault: None };
    }
    match catch_unwind(AssertUnwindSafe(|| answered(input))) {
        Ok(Ok(outcome)) => Judgement { outcome, fault: None },
        Ok(Err(lie)) => Judgement::fault(lie),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            Judgement::fault(format!("it panics: {}", text.unwrap_or("without a text")))
        }
    }
}

/// Whether the input names an exploration that is not executed here.
fn is_read_only(input: &Input) -> bool {
    let is_long = |engine: Engine| !engine.is_scheduled();
    let token = |word: &String| word.parse::<Token>().ok();
    input.arguments.iter().filter_map(token).any(|token| match token {
        Token::Seed(origin) => is_long(origin.engine),
        Token::Repro { engine, .. } => is_long(engine),
    })
}

fn ask(input: &Input) -> Answer {
    let arguments: Vec<&str> = input.arguments.iter().map(String::as_str).collect();
    cli::answer_within(&SCENARIOS, words(&arguments), &CEILING)
}

fn answered(input: &Input) -> Result<Outcome, String> {
    let answer = ask(input);
    let remarks = answer.remarks.join("\n");
    let outcome = match answer.exit {
        Exit::Refused => return refused(&answer).map(|()| Outcome::Refused),
        Exit::AsExpected | Exit::Undecided => Outcome::Clean,
        Exit::Finding => Outcome::Finding,
        exit => return Err(format!("exit code {}: {remarks}", exit.code())),
    };
    if input.kind == Kind::Command {
        return Ok(outcome);
    }
    let again = ask(input);
    if gist(&answer) != gist(&again) {
        return Err(String::from("a second replay gives another answer"));
    }
    match &input.file {
        None => as_the_token_says(&input.arguments[1], &answer)?,
        Some(file) => as_the_file_says(input.kind, file, &remarks)?,
    }
    if input.kind == Kind::Plan {
        in_reason(&answer)?;
    }
    Ok(outcome)
}

/// A refusal is one sentence.
fn refused(answer: &Answer) -> Result<(), String> {
    let [sentence] = answer.remarks.as_slice() else {
        return Err(format!("a refusal of {} lines: {:?}", answer.remarks.len(), answer.remarks));
    };
    if !answer.stdout.is_empty() {
        return Err(format!("a refusal with an answer: {sentence}"));
    }
    let rest = sentence.strip_prefix("lastref: ").unwrap_or_default();
    if rest.len() < 10 || sentence.chars().any(char::is_control) {
        return Err(format!("a refusal that is not a sentence: {sentence:?}"));
    }
    Ok(())
}

/// The parts of an answer that do not depend on the clock.
fn gist(answer: &Answer) -> (Exit, Vec<String>, String) {
    let stdout = match serde_json::from_str::<Value>(&answer.stdout) {
        Ok(mut value) => {
            value["seconds"] = Value::Null;
            value.to_string()
        }
        Err(_) => answer.stdout.clone(),
    };
    (answer.exit, answer.remarks.clone(), stdout)
}

fn as_the_token_says(text: &str, answer: &Answer) -> Result<(), String> {
    let token: Token = text.parse().map_err(|error| format!("a token that does not parse is accepted: {error}"))?;
    if token.to_string() != text.trim() {
        return Err(format!("it is accepted as `{token}`"));
    }
    let Ok(said) = serde_json::from_str::<Value>(&answer.stdout) else { return Ok(()) };
    let case = token.case();
    let names = [("component", &case.component), ("scenario", &case.scenario), ("variant", &case.variant)];
    match names.iter().find(|(key, name)| said[*key] != ***name) {
        Some((key, name)) => Err(format!("the token names the {key} `{name}`, and `{}` was run", said[*key])),
        None => Ok(()),
    }
}

/// Checks that the answer calls a file edited exactly if its content was changed.
fn as_the_file_says(kind: Kind, file: &File, remarks: &str) -> Result<(), String> {
    let content: Value = serde_json::from_slice(&file.content).map_err(|error| format!("it is accepted: {error}"))?;
    // The original of a plan was composed by the fuzzer, so it differs from the saved case.
    let is_edited = content != file.original || kind == Kind::Plan;
    match (is_edited, remarks.contains("was edited")) {
        (true, false) => Err(format!("an edited file passes for a saved one: {remarks}")),
        (false, true) => Err(format!("a saved file passes for an edited one: {remarks}")),
        _ if remarks.contains("other code") => Err(format!("this is the code it was saved with: {remarks}")),
        _ => Ok(()),
    }
}

/// A fixed variant must not panic, however unreasonable its plan is. A plan may ask for work that never ends, such as a
/// request without an answer: its run ends at the bound on steps or as a deadlock, and the answer says that the case
/// was edited.
fn in_reason(answer: &Answer) -> Result<(), String> {
    let Ok(said) = serde_json::from_str::<Value>(&answer.stdout) else { return Ok(()) };
    match said["kind"].as_str() {
        Some("panic") => Err(format!("the fixed variant panics with this plan: {}", said["message"])),
        _ => Ok(()),
    }
}
