//! The results of exploration: a report per cell, and a failure that a person can understand without opening the code.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::case::CaseName;
use crate::engine::Engine;
use crate::net::HitCounts;
use crate::replay::Token;
use crate::run::Outcome;
use crate::strategy::StrategyName;
use crate::trace::{Detail, render};
use crate::violation::ViolationKind;
use crate::void::Void;

/// Names an execution: with the case, all that a replay needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The case.
    pub case: CaseName,
    /// The engine.
    pub engine: Engine,
    /// The strategy; loom and threads use none of ours, and record the one that was requested.
    pub strategy: StrategyName,
    /// The seed of this very run.
    pub seed: u64,
}

/// The result of one cell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Runs up to and including the first finding, or all that were made.
    pub schedules: u64,
    /// The number of runs that were repeated and took the same course.
    pub rechecked: u64,
    /// Decisions in those runs.
    pub steps: u64,
    /// Clean, or the finding.
    pub verdict: Verdict,
    /// The hash of the violating run's trace, or of all runs' traces combined.
    pub trace_hash: u64,
    /// The budget was spent, or, under loom, every execution explored within the bound on preemptions.
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
    /// A run, repeated from its seed, took another course: it depends on something other than the seed.
    Diverged {
        /// The run, and its first difference.
        message: String,
    },
    /// No verdict, because of a fault of the harness, of a model or of the machine: an invariant of theirs does not
    /// hold, or loom's process did not start, or died.
    Broken {
        /// A description of the fault.
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
                    "a bug of the harness or of a model, and no finding (case {case}, engine {engine}, seed {seed:#x}): \
                     {text}; please report it with this line"
                ),
            },
            Void::Misuse(text) => Verdict::Misused { message: text.clone() },
        }
    }
}

impl Report {
    /// The failure, if there is one.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.verdict {
            Verdict::Violation(failure) => Some(failure),
            Verdict::Clean | Verdict::Diverged { .. } | Verdict::Broken { .. } | Verdict::Misused { .. } => None,
        }
    }
}

/// A finding, complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind of rule.
    pub kind: ViolationKind,
    /// The property that does not hold.
    pub property: String,
    /// One sentence: the actor and its operation.
    pub message: String,
    /// Label and value.
    pub facts: Vec<(String, String)>,
    /// The execution.
    pub origin: Origin,
    /// The step at which it was found.
    pub step: u32,
    /// Which schedule of a search by [`Check`](super::Check) found it, counted from 1; under loom, which execution. A
    /// hunt has it in the cell's report ([`Report::schedules`]), as the failure is the same when replayed alone.
    pub schedule: Option<u64>,
    /// The hash of the run's trace.
    pub trace_hash: u64,
    /// The run as a table; empty if it was not recorded.
    pub table: String,
    /// The run as a table with every operation and its source line.
    pub full_table: String,
    /// The line that replays it.
    pub replay: String,
    /// The line that shrinks it; empty under the engines whose schedule we do not control.
    pub shrink: String,
}

impl Failure {
    pub(crate) fn new(origin: Origin, outcome: &Outcome) -> Option<Failure> {
        let violation = outcome.violation.clone()?;
        let (table, full_table) = tables(outcome);
        let token = Token::new(origin.clone());
        let shrink = if origin.engine.is_scheduled() { format!("lastref shrink {token}") } else { String::new() };
        Some(Failure {
            replay: format!("lastref replay {token}"),
            shrink,
            schedule: None,
            kind: violation.kind,
            property: violation.property,
            message: violation.message,
            facts: violation.facts,
            origin,
            step: outcome.steps,
            trace_hash: outcome.trace.hash(),
            table,
            full_table,
        })
    }

    /// The token that replays it.
    pub fn token(&self) -> Token {
        Token::new(self.origin.clone())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { case, engine, strategy, seed } = &self.origin;
        writeln!(f, "{case}: `{}` does not hold ({})", self.property, self.kind)?;
        writeln!(f, "  {}", self.message)?;
        let width = self.facts.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        for (label, value) in &self.facts {
            writeln!(f, "  {label:width$}  {value}")?;
        }
        write!(f, "seed {seed:#x}, engine {engine}, strategy {strategy}, step {}", self.step)?;
        match self.schedule {
            Some(schedule) => writeln!(f, ", found in schedule {schedule}")?,
            None => writeln!(f)?,
        }
        writeln!(f, "replay: {}", self.replay)?;
        if !self.shrink.is_empty() {
            writeln!(f, "shrink: {}", self.shrink)?;
        }
        if !self.table.is_empty() {
            write!(f, "{}", self.table)?;
        }
        Ok(())
    }
}

/// A recorded run as tables; empty for a run that was not recorded.
pub(crate) fn tables(outcome: &Outcome) -> (String, String) {
    if outcome.trace.recording() {
        (render(outcome, Detail::Custody), render(outcome, Detail::Full))
    } else {
        (String::new(), String::new())
    }
}
