//! Conformance: compares a model's outcomes with the outcomes of the real library or kernel on the same scripts.
//!
//! A script is a list of steps. The original, a real library or kernel, runs it one step at a time and settles before
//! the next; its outcome is the list of observations, one for each step. A model agrees if it gives that outcome under
//! one of N schedules.
//!
//! ```text
//! strategy ──► script ──► real thing ──► outcome ──► tests/conformance/NAME.txt
//!                 │                         │
//!                 └──► model, N schedules ──┴──► agrees, or differs ──► shrunk, looked up in NAME.deviations.json
//! ```
//!
//! `cargo test` compares the recorded scripts. The binary `conformance` runs fresh ones on a machine that has the
//! original. A difference is allowed if it is listed. A listed difference that no longer occurs is an error, and so are
//! a script that breaks a rule of the ledger in the model and a panic of the model.

pub mod command;
pub mod deviation;
pub mod explore;
pub mod nng;
pub mod recorded;
pub mod shrink;
pub mod uring;

use std::fmt::{Debug, Display};
use std::path::Path;
use std::str::FromStr;

use lastref::Limits;
use proptest::strategy::BoxedStrategy;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use explore::Seen;

/// The model without a defect.
pub const FIXED: &str = "fixed";

/// The observations of the original or of a model, one text for each step.
pub type Outcome = Vec<String>;

/// One step of a script. Its text form is that of the recorded files.
pub trait Step:
    Clone + PartialEq + Debug + Display + FromStr<Err = String> + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Steps that may replace this one when a script is shrunk, the simplest first.
    fn simpler(&self) -> Vec<Self>;
}

/// A model with its real counterpart.
pub trait Subject: 'static {
    /// Its steps.
    type Step: Step;
    /// Its name on the command line.
    const NAME: &'static str;
    /// Number of schedules that are searched for an outcome.
    const SCHEDULES: u64;
    /// The recorded scripts, as a file holds them.
    const RECORDED: &'static str;
    /// The allowed deviations, as a file holds them.
    const DEVIATIONS: &'static str;

    /// Generates scripts.
    fn scripts() -> BoxedStrategy<Vec<Self::Step>>;

    /// Runs a script on a variant of the model, as the first task of a simulated run. It pushes the outcome of each
    /// step to `seen`; when `push` returns false, the model cleans up and returns.
    fn model(variant: &str, script: &[Self::Step], seen: &mut Seen<'_, Self::Step>);

    /// Whether two outcomes of a step agree. Options is ignored where the original guarantees none.
    fn agrees(step: &Self::Step, real: &str, model: &str) -> bool {
        let _ = step;
        real == model
    }

    /// The bounds of a run of the model.
    fn limits() -> Limits {
        Limits::default()
    }

    /// Opens the original; `lib` is the path of its library, if the command line has one.
    ///
    /// # Errors
    /// If this machine does not have the original.
    fn real(lib: Option<&Path>) -> Result<Box<dyn Real<Self::Step>>, Missing>;
}

/// The original: a real library or kernel.
pub trait Real<T> {
    /// Runs a script from a fresh start.
    ///
    /// # Errors
    /// If the machine prevents the run: the outcome is then unknown.
    fn run(&mut self, script: &[T]) -> Result<Outcome, Error>;
}

/// The reason, in plain words, why this machine does not have the original.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Missing(pub String);

/// An error that prevents a comparison.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A recorded file is malformed.
    #[error("line {line}: {message}")]
    Recorded {
        /// Counted from 1.
        line: usize,
        /// The error in the line.
        message: String,
    },
    /// The list of deviations is malformed.
    #[error("the list of deviations: {0}")]
    Deviations(#[from] serde_json::Error),
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// Its path.
        path: String,
        /// The system's error.
        error: std::io::Error,
    },
    /// The original cannot be run.
    #[error("the original: {0}")]
    Real(String),
    /// The model broke a rule of its own, or panicked.
    #[error("the model: {0}")]
    Model(String),
}
