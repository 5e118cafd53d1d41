//! `fuzz`: mutated tokens, saved cases, plans and command lines, judged in child processes.
//!
//! The parent gives ranges of inputs to children, which are this program again. A child reports the start and the
//! outcome of each input. A child that reports nothing for too long is killed, and its input counts as a hang; if a
//! child dies, its input counts as an abort. The next child continues after that input. Memory is limited, so that an
//! excessive allocation fails on any machine.

mod parent;

use std::alloc::System;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use cap::Cap;
use clap::Parser;
use lastref_tests::fuzz::{Corpus, CorpusError, Input, Judgement, judge};
use scenarios::SCENARIOS;
use serde_json::json;

/// Memory limit of a process in bytes; a run needs a few million.
const MEMORY_MAX: usize = 1 << 30;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, MEMORY_MAX);

/// Runs lastref on invalid input, and reports panics, aborts, hangs and wrong answers.
#[derive(Debug, Parser)]
struct Arguments {
    /// Number of inputs.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    inputs: u64,
    /// Seed of the inputs: the same seed gives the same inputs.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Number of child processes at a time.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: u64,
    /// Shows the input of this number, and judges it in this process.
    #[arg(long, value_name = "NUMBER")]
    only: Option<u64>,
    /// Makes this process a child: the folder of saved cases.
    #[arg(long, value_name = "FOLDER", hide = true)]
    child: Option<PathBuf>,
    /// The first input of a child.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide = true)]
    from: u64,
}

fn main() -> ExitCode {
    lastref::explore::serve_child(|name| SCENARIOS.case(name));
    let arguments = Arguments::parse();
    let done = match (&arguments.child, arguments.only) {
        (Some(folder), _) => child(folder, &arguments),
        (None, Some(number)) => only(number, arguments.seed),
        (None, None) => parent::run(arguments.inputs, arguments.seed, arguments.jobs.max(1)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("fuzz: {error}");
        ExitCode::from(2)
    })
}

/// An error that prevents fuzzing.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0}")]
    Corpus(#[from] CorpusError),
    #[error("a folder or a process cannot be used: {0}")]
    System(#[from] io::Error),
}

fn child(folder: &std::path::Path, arguments: &Arguments) -> Result<ExitCode, Error> {
    let corpus = Corpus::load(folder)?;
    // Panics are reported as faults, each with its input.
    let mut stdout = io::stdout().lock();
    for number in arguments.from..arguments.inputs {
        writeln!(stdout, "{}", json!({ "begins": number }))?;
        stdout.flush()?;
        let input = Input::new(&corpus, arguments.seed, number);
        let Judgement { outcome, fault } = judge(&input);
        let said = json!({
            "ended": number,
            "kind": input.kind.to_string(),
            "outcome": format!("{outcome:?}"),
            "fault": fault,
        });
        writeln!(stdout, "{said}")?;
        stdout.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn only(number: u64, seed: u64) -> Result<ExitCode, Error> {
    let folder = tempfile::tempdir()?;
    let corpus = Corpus::save(folder.path())?;
    let input = Input::new(&corpus, seed, number);
    println!("{}", parent::shown(&input));
    let judgement = judge(&input);
    println!("{judgement:?}");
    Ok(ExitCode::from(u8::from(judgement.fault.is_some())))
}
