//! Conformance: a model's outcomes compared with what the real library or kernel did with the same script.
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
    /// Under how many schedules the model may give an outcome.
    const SCHEDULES: u64;
    /// The recorded scripts, as a file holds them.
    const RECORDED: &'static str;
    /// The allowed deviations, as a file holds them.
    const DEVIATIONS: &'static str;

    /// Makes scripts.
    fn scripts() -> BoxedStrategy<Vec<Self::Step>>;

    /// Runs a script on a variant of the model, as the first task of a simulated run. It pushes the outcome of each
    /// step to `seen`; when `push` returns false, the model cleans up and returns.
    fn model(variant: &str, script: &[Self::Step], seen: &mut Seen<'_, Self::Step>);

    /// Whether two outcomes of a step agree. Order is ignored where the original guarantees none.
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
    /// Why it is not there.
    fn real(lib: Option<&Path>) -> Result<Box<dyn Real<Self::Step>>, Missing>;
}

/// The real thing.
pub trait Real<T> {
    /// Runs a script from a fresh start.
    ///
    /// # Errors
    /// If the machine gets in the way: the outcome is then unknown.
    fn run(&mut self, script: &[T]) -> Result<Outcome, Error>;
}

/// The real thing is not on this machine: a reason in plain words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Missing(pub String);

/// What keeps a comparison from being made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A recorded file.
    #[error("line {line}: {message}")]
    Recorded {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// A list of deviations.
    #[error("the list of deviations: {0}")]
    Deviations(#[from] serde_json::Error),
    /// A file.
    #[error("{path}: {error}")]
    File {
        /// Its path.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The real thing could not be driven.
    #[error("the original: {0}")]
    Real(String),
    /// The model broke a rule of its own, or panicked.
    #[error("the model: {0}")]
    Model(String),
}
