//! The results of exploration: a report per cell, and a failure that a person can understand without opening the code.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use kernel::record::{HitCounts, Violation, Void};
use serde::{Deserialize, Serialize};

use super::origin::Origin;
use crate::engine::Engine;
use crate::replay::Token;
use crate::session::Outcome;
use crate::table::{Detail, render};

/// The result of one cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Runs up to and including the first finding, or all runs.
    pub schedules: u64,
    /// The number of runs that were repeated and did not differ.
    pub rechecked: u64,
    /// Decisions in the runs that [`Report::schedules`] counts.
    pub steps: u64,
    /// Clean, or the finding.
    pub verdict: Verdict,
    /// The hash of the violating run's trace, or of all runs' traces combined.
    pub trace_hash: u64,
    /// True if the budget was spent or, under loom, every execution within the bound on preemptions was explored.
    pub complete: bool,
    /// loom: the highest bound on preemptions within which every execution was explored; none if not even the first
    /// bound was completed, and under the other engines.
    pub preemptions: Option<Preemptions>,
    /// The number of runs that reached each `sometimes`.
    pub reached: BTreeMap<String, u64>,
    /// The number of runs in which each fault of the network has hit a connection in each phase.
    pub faults: HitCounts,
    /// Wall time.
    pub seconds: f64,
    /// A recorded run as a table, clean or not; empty if no run was recorded.
    pub table: String,
    /// The same with every operation and its source line.
    pub full_table: String,
}

/// A bound on how many times an execution preempts a task that could continue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preemptions {
    /// At most this many.
    AtMost(u8),
    /// Any number: the exploration is exhaustive.
    Unbounded,
}

impl fmt::Display for Preemptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Preemptions::AtMost(1) => f.write_str("at most 1 preemption"),
            Preemptions::AtMost(most) => write!(f, "at most {most} preemptions"),
            Preemptions::Unbounded => f.write_str("any number of preemptions"),
        }
    }
}

/// How a cell ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Verdict {
    /// No rule was broken.
    Clean,
    /// A rule was broken.
    Violation(Box<Failure>),
    /// A run and its repetition from the same seed differ: the run depends on something other than the seed.
    Diverged {
        /// The run, and its first difference.
        message: String,
    },
    /// No verdict, because of a bug of the harness or of a model, or a failure of the machine: an invariant does not
    /// hold, or loom's process did not start or died.
    Broken {
        /// A description of it.
        message: String,
    },
    /// No verdict, since the body uses the harness in a way that is not supported.
    Misused {
        /// The misuse, and the remedy.
        message: String,
    },
}

impl Verdict {
    /// The verdict on a run.
    pub(crate) fn of(origin: Origin, outcome: &Outcome) -> Verdict {
        match &outcome.void {
            Some(void) => Verdict::of_void(&origin, void),
            None => {
                Failure::new(origin, outcome).map_or(Verdict::Clean, |failure| Verdict::Violation(Box::new(failure)))
            }
        }
    }

    /// The verdict on an invalid run.
    pub(crate) fn of_void(origin: &Origin, void: &Void) -> Verdict {
        let Origin { case, engine, seed, .. } = origin;
        match void {
            Void::Harness(text) => Verdict::Broken {
                message: format!(
                    "a bug of the harness or of a model, not a finding (case {case}, engine {engine}, seed {seed:#x}): \
                     {text}; please report it with this line"
                ),
            },
            Void::Misuse(text) => Verdict::Misused { message: text.clone() },
        }
    }
}

impl Report {
    /// A report without runs.
    pub(crate) fn empty() -> Report {
        Report {
            schedules: 0,
            rechecked: 0,
            steps: 0,
            verdict: Verdict::Clean,
            trace_hash: 0,
            complete: false,
            preemptions: None,
            reached: BTreeMap::new(),
            faults: HitCounts::new(),
            seconds: 0.0,
            table: String::new(),
            full_table: String::new(),
        }
    }

    /// The report of one run.
    pub(crate) fn of_run(origin: Origin, outcome: &Outcome) -> Report {
        let verdict = Verdict::of(origin, outcome);
        let (table, full_table) = match &verdict {
            Verdict::Violation(failure) => (failure.table.clone(), failure.full_table.clone()),
            _ => tables(outcome),
        };
        let mut faults = HitCounts::new();
        outcome.faults.count(&mut faults);
        Report {
            schedules: 1,
            steps: u64::from(outcome.steps),
            verdict,
            trace_hash: outcome.trace.hash(),
            complete: true,
            reached: words(&outcome.reached),
            faults,
            table,
            full_table,
            ..Report::empty()
        }
    }

    /// The report on an engine that is not part of this program.
    pub(crate) fn not_built(engine: Engine) -> Report {
        let message = format!("the engine `{engine}` is not part of this program: build lastref with its feature");
        Report { verdict: Verdict::Misused { message }, ..Report::empty() }
    }

    /// The failure, if there is one.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.verdict {
            Verdict::Violation(failure) => Some(failure),
            Verdict::Clean | Verdict::Diverged { .. } | Verdict::Broken { .. } | Verdict::Misused { .. } => None,
        }
    }
}

/// A complete finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The broken rule, the actor and its operation, and the facts.
    pub violation: Violation,
    /// The execution.
    pub origin: Origin,
    /// The step at which it was found.
    pub step: u32,
    /// The number of the schedule, or under loom of the execution, that found it in a search by
    /// [`Check`](super::Check), counted from 1. A hunt has it in the cell's report ([`Report::schedules`]), since the
    /// failure is the same when replayed alone.
    pub schedule: Option<u64>,
    /// The hash of the run's trace.
    pub trace_hash: u64,
    /// The run as a table; empty if it was not recorded.
    pub table: String,
    /// The run as a table with every operation and its source line.
    pub full_table: String,
    /// The means to replay it.
    pub replay: Replay,
}

/// The means to replay an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replay {
    /// Its token.
    Token(Token),
    /// The file of a saved case that was edited: no token names its content.
    File(PathBuf),
    /// A test that searches by [`Check`](super::Check).
    Test {
        /// Its name.
        name: String,
        /// The finding was shrunk, and is shrunk again when it is replayed.
        shrinks: bool,
    },
}

impl Failure {
    pub(crate) fn new(origin: Origin, outcome: &Outcome) -> Option<Failure> {
        let violation = *outcome.violation.clone()?;
        let (table, full_table) = tables(outcome);
        let (step, trace_hash) = (outcome.steps, outcome.trace.hash());
        let replay = Replay::Token(Token::new(origin.clone()));
        Some(Failure { violation, origin, step, schedule: None, trace_hash, table, full_table, replay })
    }

    /// The token of its execution.
    pub fn token(&self) -> Token {
        Token::new(self.origin.clone())
    }

    /// Everything but its tables and the lines that replay it; ends with a line break.
    pub fn head(&self) -> String {
        let Origin { case, engine, strategy, seed } = &self.origin;
        let Violation { kind, property, message, facts, .. } = &self.violation;
        let mut text = format!("{case}:\n  `{property}` does not hold ({kind})\n  {message}\n");
        let width = facts.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        for (label, value) in facts {
            text.push_str(&format!("  {label:width$}  {value}\n"));
        }
        text.push_str(&format!("seed {seed:#x}, engine {engine}, strategy {strategy}, step {}", self.step));
        if let Some(schedule) = self.schedule {
            text.push_str(&format!(", found in schedule {schedule}"));
        }
        text.push('\n');
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head())?;
        match &self.replay {
            Replay::Token(token) => writeln!(f, "token: {token}")?,
            Replay::File(path) => writeln!(f, "file: {}", path.display())?,
            Replay::Test { name, shrinks } => {
                let again = format!("LASTREF_SEED={:#x} cargo test {}", self.origin.seed, quoted(name));
                if *shrinks {
                    writeln!(f, "replay: LASTREF_SHRINK=1 {again}\nnot shrunk: {again}")?;
                } else {
                    writeln!(f, "replay: {again}")?;
                    if self.origin.engine.is_scheduled() {
                        writeln!(f, "shrink: LASTREF_SHRINK=1 {again}")?;
                    }
                }
            }
        }
        f.write_str(&self.table)
    }
}

/// The word as a shell reads it: in quotes if it has other characters than those of a path.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:/.".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The rare states of a run, or of several, and the number of runs that reached each.
pub(crate) fn words(reached: &BTreeMap<&'static str, u64>) -> BTreeMap<String, u64> {
    reached.iter().map(|(sentence, count)| ((*sentence).to_owned(), *count)).collect()
}

/// A recorded run as tables; empty for a run that was not recorded.
fn tables(outcome: &Outcome) -> (String, String) {
    if outcome.trace.is_recording() {
        (render(outcome, Detail::Custody), render(outcome, Detail::Full))
    } else {
        (String::new(), String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_for_the_shell_if_it_must_be() {
        assert_eq!(quoted("mutex::two_tasks-2"), "mutex::two_tasks-2");
        assert_eq!(quoted("two words"), "'two words'");
        assert_eq!(quoted("Anna's"), r"'Anna'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
