//! Errors in the input, each as one sentence that names the input.

use std::path::PathBuf;

use lastref::explore::Engine;
use lastref::replay::{ReproError, TokenError};
use lastref::scenario::{BadList, Unknown};

/// Bad usage or input: exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A list of scenarios that no command can run.
    #[error("{0}")]
    List(#[from] BadList),
    /// A name that is not in its list.
    #[error("{0}")]
    Unknown(#[from] Unknown),
    /// A component's name where a scenario's is wanted.
    #[error("{unknown}, and `{program} list --component {component}` shows its scenarios")]
    IsComponent { unknown: Unknown, program: String, component: &'static str },
    /// Flags that are each valid, but match no cell together.
    #[error("no cell matches {asked}; {instead}")]
    NoCell { asked: String, instead: String },
    /// A scenario without a small plan, under loom.
    #[error("scenario `{scenario}` does not run on {engine}; the engines it runs on are {engines}")]
    NotOnEngine { scenario: &'static str, engine: String, engines: String },
    /// A variant that exists, but that the scenario does not mention.
    #[error("scenario `{scenario}` has no expectation of variant `{variant}`; its variants are {own}")]
    NotOfScenario { scenario: &'static str, variant: String, own: String },
    /// An argument that is neither a file nor a token.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// A token or a file of a case that this build does not have.
    #[error("`{input}` names a case that this build does not have: {unknown}")]
    OfAnotherBuild { input: String, unknown: Unknown },
    /// A file that cannot be read, is not a saved case, or cannot be written.
    #[error("{0}")]
    Repro(#[from] ReproError),
    /// A token of a saved case whose file is missing.
    #[error("`{token}` needs the saved case `{path}`, which does not exist; name its folder with `--dir`")]
    NoSavedCase { token: String, path: PathBuf },
    /// A token of a saved case whose file now holds another case.
    #[error("`{path}` no longer has the content that `{token}` names; replay the file by its path")]
    OtherContent { token: String, path: PathBuf },
    /// A saved case whose claim contradicts its run.
    #[error("`{path}` was edited: it says that it violates {claimed}, and its run violates {shown}")]
    Edited { path: PathBuf, claimed: String, shown: String },
    /// A folder in which no file can be created.
    #[error("folder `{folder}` cannot be written: {source}; name another with `--dir`")]
    Folder { folder: PathBuf, source: std::io::Error },
    /// An execution whose schedule we do not control.
    #[error("`{input}` names a run under {engine}, whose schedule cannot be shrunk")]
    NotShrinkable { input: String, engine: Engine },
    /// A clean execution has no smaller failing case.
    #[error("`{input}` violates no property, so there is nothing to shrink")]
    NothingToShrink { input: String },
}
