//! What exploring came to: a report per cell, and a failure with everything a person needs without opening the code.

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

/// Which execution: with the case, all that a replay needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The case.
    pub case: CaseName,
    /// The engine.
    pub engine: Engine,
    /// The strategy; loom and threads have none of ours, and note the one that was asked for.
    pub strategy: StrategyName,
    /// The seed of this very run.
    pub seed: u64,
}

/// What one cell came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Runs up to and with the first finding, or all that were made.
    pub schedules: u64,
    /// How many of them were made again, and went the same way.
    pub rechecked: u64,
    /// Decisions in those runs.
    pub steps: u64,
    /// Clean, or what was found.
    pub verdict: Verdict,
    /// The trace of the violating run, or those of all runs folded into one number.
    pub trace_hash: u64,
    /// The budget was spent, or, under loom, the whole space explored.
    pub complete: bool,
    /// How many runs reached each `sometimes`.
    pub reached: BTreeMap<String, u64>,
    /// In how many runs each fault of the network has hit a connection in each phase.
    pub faults: HitCounts,
    /// Wall time.
    pub seconds: f64,
    /// A recorded run as a table, clean or not; empty if nothing recorded it.
    pub table: String,
    /// The same with every operation and its source line.
    pub full_table: String,
}

/// How a cell ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Verdict {
    /// No rule was broken.
    Clean,
    /// One was.
    Violation(Box<Failure>),
    /// A run, made again from its seed, went another way: something outside the seed decides.
    Diverged {
        /// Which run, and how it differed.
        message: String,
    },
    /// Nothing was learned, for a fault of the harness or of the machine: loom's process did not start, or died.
    Broken {
        /// What went wrong.
        message: String,
    },
}

impl Report {
    /// The failure, if there is one.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.verdict {
            Verdict::Violation(failure) => Some(failure),
            Verdict::Clean | Verdict::Diverged { .. } | Verdict::Broken { .. } => None,
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
    /// One sentence: who did what.
    pub message: String,
    /// Label and value.
    pub facts: Vec<(String, String)>,
    /// Which execution.
    pub origin: Origin,
    /// The step at which it was found.
    pub step: u32,
    /// The hash of the run's trace.
    pub trace_hash: u64,
    /// The run as a table; empty if nothing recorded it.
    pub table: String,
    /// The run as a table with every operation and its source line.
    pub full_table: String,
    /// The line that replays it.
    pub replay: String,
}

impl Failure {
    pub(crate) fn new(origin: Origin, outcome: &Outcome) -> Option<Failure> {
        let violation = outcome.violation.clone()?;
        let (table, full_table) = tables(outcome);
        let replay = format!("lastref replay {}", Token::new(origin.clone()));
        Some(Failure {
            kind: violation.kind,
            property: violation.property,
            message: violation.message,
            facts: violation.facts,
            origin,
            step: outcome.steps,
            trace_hash: outcome.trace.hash(),
            table,
            full_table,
            replay,
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
        writeln!(f, "seed {seed:#x}, engine {engine}, strategy {strategy}, step {}", self.step)?;
        writeln!(f, "replay: {}", self.replay)?;
        if !self.table.is_empty() {
            write!(f, "{}", self.table)?;
        }
        Ok(())
    }
}

/// A recorded run as tables; empty for one that was not recorded.
pub(crate) fn tables(outcome: &Outcome) -> (String, String) {
    if outcome.trace.recording() {
        (render(outcome, Detail::Custody), render(outcome, Detail::Full))
    } else {
        (String::new(), String::new())
    }
}
