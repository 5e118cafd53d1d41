//! The parent: starts children, watches them, counts.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use lastref_tests::fuzz::{Corpus, Input, Kind, Outcome};
use serde_json::Value;

use super::Error;

/// An input without an answer after this time counts as a hang. Most inputs take milliseconds; a busy machine may be a
/// thousand times slower.
const PATIENCE: Duration = Duration::from_secs(120);
/// Maximum number of inputs of one child. A run that ends early leaks the memory of its tasks, so a child grows.
const INPUTS_OF_A_CHILD_MAX: u64 = 10_000;
/// Maximum number of faults that are shown in full.
const SHOWN_MAX: usize = 20;
/// Maximum number of bytes of an input that are shown.
const SHOWN_BYTES_MAX: usize = 2_000;

/// The result of one input.
struct Done {
    number: u64,
    kind: String,
    outcome: String,
    fault: Option<String>,
}

/// Judges all inputs and prints a summary; exit code 1 if there is a fault.
pub(super) fn run(inputs: u64, seed: u64, jobs: u64) -> Result<ExitCode, Error> {
    let folder = tempfile::tempdir()?;
    let corpus = Corpus::save(folder.path())?;
    let (sender, receiver) = channel();
    let counted = std::thread::scope(|scope| {
        for job in 0..jobs {
            let (sender, folder) = (sender.clone(), folder.path());
            let range = job * inputs / jobs..(job + 1) * inputs / jobs;
            scope.spawn(move || watch(folder, seed, range, job, &sender));
        }
        drop(sender);
        count(inputs, &receiver)
    });
    let (counts, faults) = counted?;
    print!("{}", table(&counts));
    for done in faults.iter().take(SHOWN_MAX) {
        println!(
            "\ninput {} (--seed {seed} --only {}): {}",
            done.number,
            done.number,
            done.fault.as_deref().unwrap_or("")
        );
        println!("{}", shown(&Input::new(&corpus, seed, done.number)));
    }
    println!("{inputs} inputs, seed {seed}: {} faults", faults.len());
    Ok(ExitCode::from(u8::from(!faults.is_empty())))
}

type Counts = BTreeMap<(String, String), u64>;

fn count(inputs: u64, receiver: &Receiver<Result<Done, Error>>) -> Result<(Counts, Vec<Done>), Error> {
    let bar = ProgressBar::new(inputs);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} inputs, {msg} faults, {eta} left") {
        bar.set_style(style);
    }
    let mut counts = Counts::new();
    let mut faults = Vec::new();
    for done in receiver {
        let done = done?;
        bar.inc(1);
        *counts.entry((done.kind.clone(), done.outcome.clone())).or_default() += 1;
        if let Some(fault) = &done.fault {
            // Printed at once, so that an interrupted run has already reported its faults.
            bar.suspend(|| eprintln!("input {}, {}: {fault}", done.number, done.kind));
            faults.push(done);
            bar.set_message(faults.len().to_string());
        }
    }
    bar.finish_and_clear();
    faults.sort_by_key(|done| done.number);
    Ok((counts, faults))
}

/// Judges a range of inputs in as many children as necessary.
fn watch(folder: &Path, seed: u64, range: std::ops::Range<u64>, job: u64, sender: &Sender<Result<Done, Error>>) {
    let mut from = range.start;
    while from < range.end {
        let end = range.end.min(from + INPUTS_OF_A_CHILD_MAX);
        match one_child(folder, seed, from..end, job, sender) {
            Ok(next) => from = next,
            Err(error) => {
                // Sending fails only if the receiver is gone.
                let _ = sender.send(Err(error));
                return;
            }
        }
    }
}

/// Reads the output of one child to its end, and returns the number of the next input.
fn one_child(
    folder: &Path,
    seed: u64,
    range: std::ops::Range<u64>,
    job: u64,
    sender: &Sender<Result<Done, Error>>,
) -> Result<u64, Error> {
    let stderr = folder.join(format!("stderr-{job}"));
    let mut child = start(folder, seed, &range, &stderr)?;
    let lines = lines(&mut child);
    let mut current = range.start;
    let how = loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                let said: Value = serde_json::from_str(&line).unwrap_or_default();
                if let Some(number) = said["begins"].as_u64() {
                    current = number;
                } else if let Some(number) = said["ended"].as_u64() {
                    let text = |key: &str| said[key].as_str().map(str::to_owned);
                    let (kind, outcome) = (text("kind").unwrap_or_default(), text("outcome").unwrap_or_default());
                    let _ = sender.send(Ok(Done { number, kind, outcome, fault: text("fault") }));
                    current = number + 1;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                break format!("it hangs: no answer within {} s", PATIENCE.as_secs());
            }
            Err(RecvTimeoutError::Disconnected) => break String::from("the process dies"),
        }
    };
    let status = child.wait()?;
    if current >= range.end {
        return Ok(range.end);
    }
    let last_words = std::fs::read_to_string(&stderr).unwrap_or_default();
    let last_words = last_words.lines().last().unwrap_or_default();
    let fault = Some(format!("{how} ({status}; {last_words})"));
    let outcome = format!("{:?}", Outcome::Fault);
    let _ = sender.send(Ok(Done { number: current, kind: String::from("aborted or hung"), outcome, fault }));
    Ok(current + 1)
}

fn start(folder: &Path, seed: u64, range: &std::ops::Range<u64>, stderr: &Path) -> Result<Child, Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--child").arg(folder).current_dir(folder);
    let numbers = [("--seed", seed), ("--from", range.start), ("--inputs", range.end)];
    for (flag, number) in numbers {
        command.arg(flag).arg(number.to_string());
    }
    Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(stderr)?).spawn()?)
}

/// The lines of a child's stdout, from a thread that ends with it.
fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

fn table(counts: &Counts) -> String {
    let outcomes = [Outcome::Refused, Outcome::Clean, Outcome::Finding, Outcome::Read, Outcome::Fault];
    let mut text = format!("{:16}", "");
    for outcome in outcomes {
        let _ = write!(text, "{:>10}", format!("{outcome:?}").to_lowercase());
    }
    text.push('\n');
    let kinds = Kind::ALL.iter().map(Kind::to_string).chain([String::from("aborted or hung")]);
    for kind in kinds.filter(|kind| counts.keys().any(|(counted, _)| counted == kind)) {
        let _ = write!(text, "{kind:16}");
        for outcome in outcomes {
            let count = counts.get(&(kind.clone(), format!("{outcome:?}"))).copied().unwrap_or(0);
            let _ = write!(text, "{count:>10}");
        }
        text.push('\n');
    }
    text
}

/// An input as a person can type it into a shell.
pub(super) fn shown(input: &Input) -> String {
    let mut text = format!("{}: lastref", input.kind);
    for argument in &input.arguments {
        let _ = write!(text, " {argument:?}");
    }
    if let Some(file) = &input.file {
        let length = file.content.len().min(SHOWN_BYTES_MAX);
        let _ = write!(text, "\n{}", String::from_utf8_lossy(&file.content[..length]));
    }
    text
}
