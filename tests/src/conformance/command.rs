//! The command `conformance` for one subject: runs fresh scripts on the original, compares, shrinks and records them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use lastref::seed::{Purpose, Stream};
use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::deviation::{self, Comparison, Deviation, Difference, Verdict, difference, is_listed};
use super::recorded::{self, Recorded};
use super::shrink::shrink;
use super::{Error, Real, Step, Subject};

/// The arguments of the command.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of fresh scripts.
    pub scripts: u64,
    /// The seed of the first; the others follow.
    pub seed: u64,
    /// The path of the original's library, if the original is a library.
    pub lib: Option<PathBuf>,
    /// The file to which fresh scripts are appended.
    pub record: Option<PathBuf>,
    /// A recorded file to compare in place of fresh scripts.
    pub compare: Option<PathBuf>,
}

/// Performs the comparison, and reports it on `out`. True if every script agrees or differs as listed.
///
/// # Errors
/// If the comparison cannot be performed.
pub fn run<S: Subject>(order: &Options, out: &mut dyn Write) -> Result<bool, Error> {
    let deviations = deviation::read(S::DEVIATIONS)?;
    let comparison = match &order.compare {
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|error| file(path, error))?;
            let named = |error| match error {
                Error::Recorded { line, message } => {
                    Error::Recorded { line, message: format!("{message} ({})", path.display()) }
                }
                other => other,
            };
            deviation::compare::<S>(&text, &deviations).map_err(named)?
        }
        None => match S::real(order.lib.as_deref()) {
            Ok(mut real) => fresh::<S>(order, real.as_mut(), &deviations)?,
            // The user named this library, so a comparison without it would be a false success.
            Err(missing) if order.lib.is_some() => return Err(Error::Real(missing.to_string())),
            Err(missing) => {
                say(out, &format!("{}: nothing compared: {missing}", S::NAME))?;
                return Ok(true);
            }
        },
    };
    for difference in &comparison.unlisted {
        say(out, &difference.to_string())?;
        if order.compare.is_none() {
            say(out, &entry(difference)?)?;
        }
    }
    say(out, &format!("{}: {comparison}", S::NAME))?;
    Ok(comparison.unlisted.is_empty())
}

/// Runs fresh scripts on the original and compares them. A script with an unlisted difference is shrunk.
fn fresh<S: Subject>(
    order: &Options,
    real: &mut dyn Real<S::Step>,
    deviations: &[Deviation],
) -> Result<Comparison, Error> {
    let strategy = S::scripts();
    let mut comparison = Comparison::default();
    for nth in 0..order.scripts {
        let seed = order.seed.wrapping_add(nth);
        let script = script(&strategy, seed)?;
        let outcome = real.run(&script)?;
        let recorded = Recorded { name: seed.to_string(), script, real: outcome };
        if let Some(path) = &order.record {
            append(path, &recorded::write(&recorded))?;
        }
        match difference::<S>(&recorded)? {
            // A listed difference is not shrunk, since shrinking could turn it into another one.
            Some(found) if !is_listed::<S>(&recorded, &found, deviations)? => {
                let (recorded, found) = shrunk::<S>(found, recorded, real)?;
                comparison.add::<S>(&recorded, Some(found), deviations)?;
            }
            found => comparison.add::<S>(&recorded, found, deviations)?,
        }
    }
    Ok(comparison)
}

/// Shrinks a script that differs. The original may behave differently each time, so this returns the last difference
/// seen.
fn shrunk<S: Subject>(
    found: Difference,
    recorded: Recorded<S::Step>,
    real: &mut dyn Real<S::Step>,
) -> Result<(Recorded<S::Step>, Difference), Error> {
    let (name, script) = (recorded.name.clone(), recorded.script.clone());
    let mut shortest = (recorded, found);
    shrink(script, |script| {
        let recorded = Recorded { name: name.clone(), script: script.to_owned(), real: real.run(script)? };
        let found = difference::<S>(&recorded)?;
        let differs = found.is_some();
        if let Some(found) = found {
            shortest = (recorded, found);
        }
        Ok::<bool, Error>(differs)
    })?;
    Ok(shortest)
}

/// The script of a seed.
fn script<T: Step>(strategy: &BoxedStrategy<Vec<T>>, seed: u64) -> Result<Vec<T>, Error> {
    let mut stream = Stream::new(seed, Purpose::Plan);
    let mut bytes = [0; 32];
    bytes.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&stream.next_u64().to_le_bytes()));
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
    let tree = strategy.new_tree(&mut runner).map_err(|error| Error::Real(format!("no script: {error}")))?;
    Ok(tree.current())
}

/// An entry for the list of deviations; a person must add the reason.
fn entry(difference: &Difference) -> Result<String, Error> {
    let deviation = Deviation {
        verdict: Verdict::LeftOut,
        variant: None,
        why: String::new(),
        steps: difference.steps.clone(),
        recorded: Vec::new(),
    };
    Ok(serde_json::to_string(&deviation)?)
}

fn append(path: &Path, text: &str) -> Result<(), Error> {
    let written = OpenOptions::new().create(true).append(true).open(path);
    written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| file(path, error))
}

fn file(path: &Path, error: std::io::Error) -> Error {
    Error::File { path: path.display().to_string(), error }
}

fn say(out: &mut dyn Write, line: &str) -> Result<(), Error> {
    writeln!(out, "{line}").map_err(|error| file(Path::new("standard output"), error))
}
