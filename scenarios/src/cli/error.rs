//! What can be wrong with an input, each as one sentence that names it.

use std::path::PathBuf;

use scenarios::Unknown;
use sim::explore::Engine;
use sim::replay::{ReproError, TokenError};

/// Bad usage or input: exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A name that is not in its list.
    #[error("{0}")]
    Unknown(#[from] Unknown),
    /// Flags that are fine one by one, and match nothing together.
    #[error("no cell matches {asked}; {instead}")]
    NoCell { asked: String, instead: String },
    /// A scenario without a small plan, under loom.
    #[error("scenario `{scenario}` does not run on {engine}; the engines it runs on are {engines}")]
    NotOnEngine { scenario: &'static str, engine: String, engines: String },
    /// A variant that there is, and of which the scenario says nothing.
    #[error("scenario `{scenario}` says nothing of variant `{variant}`; of these it does: {own}")]
    NotOfScenario { scenario: &'static str, variant: String, own: String },
    /// An argument that is neither a file nor a token.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// A token or a file of a case which this build does not have.
    #[error("`{input}` is of a case that this build does not have: {unknown}")]
    OfAnotherBuild { input: String, unknown: Unknown },
    /// A file that cannot be read, is no saved case, or cannot be written.
    #[error("{0}")]
    Repro(#[from] ReproError),
    /// A token of a saved case whose file is not where it should be.
    #[error("`{token}` needs the saved case `{path}`, which is not there; name its folder with `--dir`")]
    NoSavedCase { token: String, path: PathBuf },
    /// A token of a saved case whose file holds another case by now.
    #[error("`{path}` is not what `{token}` names: it was changed since; replay the file by its path")]
    OtherContent { token: String, path: PathBuf },
    /// A saved case whose claim is not what its run shows.
    #[error("`{path}` was edited: it says that it violates {claimed}, and its run violates {shown}")]
    Edited { path: PathBuf, claimed: String, shown: String },
    /// A folder in which nothing can be saved.
    #[error("folder `{folder}` cannot be written: {source}; name another with `--dir`")]
    Folder { folder: PathBuf, source: std::io::Error },
    /// An execution whose schedule is not ours to change.
    #[error("`{input}` is of {engine}, and its schedule is not ours to shrink")]
    NotShrinkable { input: String, engine: Engine },
    /// A clean execution has no smaller failing case.
    #[error("`{input}` violates no property, so there is nothing to shrink")]
    NothingToShrink { input: String },
}
