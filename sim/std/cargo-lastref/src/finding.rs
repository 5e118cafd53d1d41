//! The text of a finding for people: the broken rule, the facts, the replay line, and the shortest interleaving.

use std::fmt::Write;

use crate::outcome::{Outcome, Status};
use crate::progress::count;
use crate::table::{self, Rows};

/// The maximum number of lines that are shown of a test's own output.
const OUTPUT_LINES_MAX: usize = 40;

/// The part of a replay line besides the token: the flags, cargo's and ours, that decide what is built and run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay {
    pub(crate) flags: Vec<String>,
}

impl Replay {
    /// `cargo lastref replay --release TOKEN`.
    pub(crate) fn line(&self, command: &str, token: &str) -> String {
        let mut words = vec![String::from("cargo lastref"), command.to_owned()];
        words.extend(self.flags.iter().map(|flag| quoted(flag)));
        words.push(quoted(token));
        words.join(" ")
    }
}

/// A word quoted for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_=/:.,@+%".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The whole text of an outcome that is not clean; ends with a line break.
pub(crate) fn text(outcome: &Outcome, replay: &Replay, rows: Rows) -> String {
    let mut text = head(outcome, replay);
    match &outcome.shorter {
        Some(shorter) => {
            text.push_str("the shortest interleaving found:\n");
            text.push_str(&table::render(shorter, rows));
            if let Some(token) = &shorter.token {
                let _ = writeln!(text, "shortest: {}", replay.line("replay", token));
            }
        }
        None => text.push_str(&table::render(&outcome.report, rows)),
    }
    text
}

/// The text of a replay without a finding.
pub(crate) fn clean(outcome: &Outcome, rows: Rows) -> String {
    format!("{}: no finding\n{}", outcome.name(), table::render(&outcome.report, rows))
}

/// The text above the table.
pub(crate) fn head(outcome: &Outcome, replay: &Replay) -> String {
    let report = &outcome.report;
    let mut text = format!("{}:\n  {}\n", outcome.name(), headline(outcome));
    text.push_str(&facts(&report.facts));
    if report.early_timer_needed {
        text.push_str("  it appears only if a timer fires while tasks can run\n");
    }
    // A process's place is that of its last run, which is irrelevant if the whole search took too long.
    let place = outcome.place.as_ref().filter(|_| outcome.token.is_some());
    let seed = report.seed.clone().or_else(|| place.map(|place| format!("{:#x}", place.seed)));
    let step = report.step.or_else(|| place.map(|place| place.step));
    let place = [
        seed.map(|seed| format!("seed {seed}")),
        report.strategy.as_ref().map(|strategy| format!("strategy {strategy}")),
        report.settings.as_ref().map(|settings| format!("settings {settings}")),
        step.map(|step| format!("step {step}")),
    ];
    let place: Vec<String> = place.into_iter().flatten().collect();
    if !place.is_empty() && outcome.status.is_bad() {
        let _ = writeln!(text, "{}", place.join(", "));
    }
    if let Some(token) = &outcome.token {
        let _ = writeln!(text, "replay: {}", replay.line("replay", token));
        if outcome.status == Status::Finding && outcome.report.token.is_some() && outcome.shorter.is_none() {
            let _ = writeln!(text, "shrink: {}", replay.line("shrink", token));
        }
    }
    let has_no_report = outcome.status == Status::Finding && outcome.report.kind.is_none();
    let shows_output =
        has_no_report || matches!(outcome.status, Status::Failed | Status::Died | Status::TimedOut | Status::Hung);
    if shows_output {
        text.push_str(&output(&outcome.output));
    }
    text
}

/// Labels and values: a value of one line stands beside its label, a stack below it.
fn facts(facts: &[(String, String)]) -> String {
    let is_long = |label: &str, value: &str| label.starts_with("stack") || value.contains('\n');
    let short = facts.iter().filter(|(label, value)| !is_long(label, value));
    let width = short.map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (label, value) in facts {
        if is_long(label, value) {
            let _ = writeln!(text, "  {label}");
            for line in value.lines() {
                let _ = writeln!(text, "    {}", table::short(line));
            }
        } else {
            let _ = writeln!(text, "  {label:width$}  {}", table::short(value));
        }
    }
    text
}

/// The broken rule, on one line.
pub(crate) fn headline(outcome: &Outcome) -> String {
    let report = &outcome.report;
    let message = report.message.as_deref().unwrap_or_default().trim();
    let run = outcome.place.as_ref().map(|place| match place.run {
        Some(run) => format!("in run {run}, step {}", place.step),
        None => format!("at step {}", place.step),
    });
    let run = run.unwrap_or_else(|| String::from("before its first run"));
    match outcome.status {
        Status::Finding if message.is_empty() || report.kind.is_none() => outcome.reason.clone(),
        Status::Finding => format!("{}: {}", outcome.reason, message.replace('\n', "\n  ")),
        Status::Died => format!("{} {run}", outcome.reason),
        Status::TimedOut => too_long(outcome),
        Status::Hung => format!("hangs {run}: no step for the time that --hang allows"),
        Status::NotDeterministic => format!("not deterministic: {}", outcome.reason),
        Status::Broken => format!("the harness failed: {}", outcome.reason),
        Status::Misused => format!("cannot be simulated: {}", outcome.reason),
        _ => outcome.reason.clone(),
    }
}

/// A search that took too long, or one of its runs.
fn too_long(outcome: &Outcome) -> String {
    let seconds = outcome.seconds;
    match &outcome.place {
        Some(place) if outcome.is_stuck => {
            format!(
                "did not end within its time limit; run {} was stuck, at step {}, after {seconds:.1} s",
                place.run.unwrap_or(1),
                place.step
            )
        }
        Some(place) => {
            let made = count(place.run.unwrap_or(1).saturating_sub(1), "run");
            format!("did not end within its time limit; no run was stuck: {made} had ended in {seconds:.1} s")
        }
        None => format!("did not end within its time limit; no run had ended in {seconds:.1} s"),
    }
}

/// The end of a test's output.
fn output(printed: &str) -> String {
    let lines: Vec<&str> = printed.lines().collect();
    let shown = &lines[lines.len().saturating_sub(OUTPUT_LINES_MAX)..];
    if shown.is_empty() {
        return String::new();
    }
    let what = if shown.len() < lines.len() { "the end of its output" } else { "its output" };
    shown.iter().fold(format!("{what}:\n"), |text, line| text + "  | " + line + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_line_can_be_pasted_into_a_shell() {
        let replay = Replay { flags: vec![String::from("--features"), String::from("a b")] };
        let line = replay.line("replay", "lrs1/a/lib/tests::b/mix:after=1,weak=0:0x2a/0011aabb");
        assert_eq!(line, "cargo lastref replay --features 'a b' lrs1/a/lib/tests::b/mix:after=1,weak=0:0x2a/0011aabb");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn a_stack_stands_below_its_label_and_widens_no_column() {
        let fact = |label: &str, value: &str| (label.to_owned(), value.to_owned());
        let given =
            [fact("task", "main"), fact("stack of the allocation", "a at src/a.rs:1\nb"), fact("allocated by", "x")];
        let said = "  task          main\n  stack of the allocation\n    a at src/a.rs:1\n    b\n  allocated by  x\n";
        assert_eq!(facts(&given), said);
    }

    #[test]
    fn only_the_end_of_a_long_output_is_shown() {
        assert_eq!(output(""), "");
        assert_eq!(output("a\nb\n"), "its output:\n  | a\n  | b\n");
        let long: String = (0..100).map(|line| format!("{line}\n")).collect();
        let shown = output(&long);
        assert!(shown.starts_with("the end of its output:\n  | 60\n") && shown.ends_with("  | 99\n"), "{shown}");
    }
}
