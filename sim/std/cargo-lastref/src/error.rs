//! Errors in the input, each as one sentence that names the input.

use std::io;
use std::path::PathBuf;

use lastref_cli::Signal;

use crate::answer::Exit;
use crate::token::TokenError;

/// Bad usage or input: exit code 2.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A compiler for another system.
    #[error("lastref runs on x86-64 Linux with glibc (x86_64-unknown-linux-gnu), and this compiler is for {host}")]
    Host { host: String },
    /// A build for another system.
    #[error("tests run on this machine, so `--target {target}` cannot be chosen; leave the flag out")]
    Target { target: String },
    /// A compiler older than the sources of the stand-in.
    #[error("lastref needs rustc 1.{needed} or newer, and `{rustc}` is {version}")]
    Old { rustc: PathBuf, version: String, needed: u64 },
    /// A program that cannot be started.
    #[error("`{program}` cannot be started: {source}")]
    Start { program: PathBuf, source: io::Error },
    /// A compiler whose description does not parse.
    #[error("the output of `{rustc} -vV` is not that of a Rust compiler")]
    NotRustc { rustc: PathBuf },
    /// cargo's own error about the project.
    #[error("{0}")]
    Project(String),
    /// A panic that does not unwind.
    #[error(
        "{origin} says panic=abort, and lastref observes panics as they unwind; set `panic = \"unwind\"`, or run it \
         with {variable}=unwind"
    )]
    Abort { origin: String, variable: String },
    /// A flag of rustc that makes panics abort.
    #[error("{origin} has `panic=abort`, and lastref observes panics as they unwind; remove that flag")]
    AbortFlag { origin: String },
    /// A configuration file of cargo that does not parse. cargo's own message has more detail, but would come later.
    #[error("`{path}` cannot be read: {reason}")]
    Config { path: PathBuf, reason: String },
    /// cargo's exit, after it printed its errors.
    #[error("the crate does not build under lastref; cargo's messages are above")]
    NotBuilt,
    /// A package whose tests cargo would run, outside the workspace.
    #[error("`{name}` is not a member of this workspace, and lastref runs the tests of members only")]
    NotMember { name: String },
    /// A name in a token that the project no longer has.
    #[error("`{token}` names {what}, which this project does not have")]
    Gone { token: String, what: String },
    /// An argument that is not a token.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// No folder for the cache.
    #[error("there is no folder for the cache: set LASTREF_CACHE, XDG_CACHE_HOME or HOME")]
    NoCache,
    /// A folder that cannot be written.
    #[error("`{path}` cannot be written: {source}")]
    Write { path: PathBuf, source: io::Error },
    /// The stand-in does not build with this compiler.
    #[error("lastref's std does not build with rustc {version}: {reason} (all messages: `{log}`)")]
    StandIn { version: String, reason: String, log: PathBuf },
    /// A test that is no longer simulated.
    #[error("the test of `{token}` ran outside the simulator: its `#[test]` is not lastref's")]
    NoReport { token: String },
    /// A signal ended the program while it still built.
    #[error("stopped by a signal before any test ran")]
    Stopped(Signal),
}

impl Error {
    /// The exit code of the error: that of the signal, or 2.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Error::Stopped(signal) => Exit::from(*signal),
            _ => Exit::Refused,
        }
    }
}
