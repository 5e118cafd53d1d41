//! What the binary `conformance` does for one subject: fresh scripts on the real thing, compared, shrunk and recorded.

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

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// How many fresh scripts.
    pub scripts: u64,
    /// The seed of the first; the others follow.
    pub seed: u64,
    /// The library that the real thing is, where it is one.
    pub lib: Option<PathBuf>,
    /// Where fresh scripts are recorded, behind what is there.
    pub record: Option<PathBuf>,
    /// A recorded file to be compared in place of fresh scripts.
    pub compare: Option<PathBuf>,
}

/// Compares as ordered, and says so on `out`. True if everything agrees or is listed.
///
/// # Errors
/// What keeps the comparison from being made.
pub fn run<S: Subject>(order: &Order, out: &mut dyn Write) -> Result<bool, Error> {
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

/// Runs fresh scripts on the real thing and compares. What differs is shrunk.
fn fresh<S: Subject>(
    order: &Order,
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
            // What is listed is not shrunk: on its way it could turn into another difference.
            Some(found) if !is_listed::<S>(&recorded, &found, deviations)? => {
                let (recorded, found) = shrunk::<S>(found, recorded, real)?;
                comparison.add::<S>(&recorded, Some(found), deviations)?;
            }
            found => comparison.add::<S>(&recorded, found, deviations)?,
        }
    }
    Ok(comparison)
}

/// The shortest script that differs. The real thing may vary, so the difference of the shortest is the last one seen.
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

/// The entry for the list of deviations, to be given its reason by a person.
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
