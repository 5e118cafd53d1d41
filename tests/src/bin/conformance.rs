//! Compares a model with the original, a real library or kernel: `conformance uring --scripts 1000 --seed 7`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use lastref_tests::conformance::command::{Options, run};
use lastref_tests::conformance::nng::{self, Nng};
use lastref_tests::conformance::uring::Uring;

/// Runs fresh scripts on the original and on the model, compares the outcomes, and shrinks each script that differs.
///
/// Exit codes: 0 all scripts agree or differ as listed, or this machine lacks the original; 1 a difference that is not
/// listed; 2 bad input.
#[derive(Debug, Parser)]
struct Args {
    /// The model to compare.
    subject: Name,
    /// Number of fresh scripts.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    scripts: u64,
    /// The seed of the first script; the others follow.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The shared library to compare with, such as `libnng.so`; by default the one that the system finds.
    #[arg(long, value_name = "FILE")]
    lib: Option<PathBuf>,
    /// Append the fresh scripts, with the original's outcomes, to this file.
    #[arg(long, value_name = "FILE", conflicts_with = "compare")]
    record: Option<PathBuf>,
    /// Compare this recorded file with the model, in place of fresh scripts.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scripts", "seed"])]
    compare: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    /// `uring_proxy`'s simulated kernel, and io_uring with TCP over loopback.
    Uring,
    /// `context_pool`'s library, and libnng with TCP over loopback.
    Nng,
    /// One script on libnng, in a process of its own.
    #[value(hide = true)]
    NngChild,
}

fn main() -> ExitCode {
    let Args { subject, scripts, seed, lib, record, compare } = Args::parse();
    let order = Options { scripts, seed, lib, record, compare };
    let mut out = io::stdout().lock();
    let agrees = match subject {
        Name::Uring => run::<Uring>(&order, &mut out),
        Name::Nng => run::<Nng>(&order, &mut out),
        Name::NngChild => return child(order.lib.as_deref()),
    };
    match agrees {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("conformance: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(target_os = "linux")]
fn child(lib: Option<&Path>) -> ExitCode {
    match nng::real::child(lib.unwrap_or(Path::new(""))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(nng::real::UNUSABLE)
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn child(_lib: Option<&Path>) -> ExitCode {
    ExitCode::from(2)
}
