//! The valid tokens, saved cases, plans and command lines that are mutated into inputs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use lastref::explore::{Case, Engine, Origin, StrategyName};
use lastref::replay::Token;
use lastref::scenario::{Expect, Scenario};
use lastref_hunt as cli;
use scenarios::SCENARIOS;
use serde_json::Value;

use super::CEILING;
use super::dice::Dice;

/// Valid inputs, to be changed.
#[derive(Debug)]
pub struct Corpus {
    /// Saved cases, as their files hold them.
    pub(super) saved: Vec<String>,
    /// The scenarios.
    pub(super) scenarios: Vec<Scenario>,
    /// The folder to which input files are written.
    pub(super) folder: PathBuf,
}

/// An error that leaves no corpus.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A folder or file cannot be used.
    #[error("`{path}`: {error}")]
    File {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// No case was saved.
    #[error("`{0}` holds no saved case")]
    Nothing(PathBuf),
}

impl Corpus {
    /// Finds, shrinks and saves a case of each component and engine in `folder`, by the command line.
    ///
    /// # Errors
    /// If the folder cannot be written, or nothing was found.
    pub fn save(folder: &Path) -> Result<Corpus, CorpusError> {
        fs::create_dir_all(folder).map_err(|error| CorpusError::File { path: folder.to_owned(), error })?;
        let mut seen = Vec::new();
        for scenario in SCENARIOS.all() {
            let engine = scenario.engines().into_iter().find(|engine| engine.is_scheduled());
            let key = (scenario.component(), engine);
            let mut said = scenario.expectations().into_iter();
            let defect = said.find(|said| matches!(said.expect, Expect::Violation { .. }));
            let (Some(defect), false) = (defect, seen.contains(&key)) else { continue };
            seen.push(key);
            let run = ["run", scenario.name(), "--variant", defect.variant, "--json"];
            let found: Option<Value> = serde_json::from_str(&ask(&run).stdout).ok();
            let Some(token) = found.as_ref().and_then(|found| found["replay"].as_str()) else { continue };
            let folder = folder.as_os_str().to_owned();
            cli::answer_within(&SCENARIOS, words(&["shrink", token, "--dir"]).chain([folder]), &CEILING);
        }
        Corpus::load(folder)
    }

    /// Reads the cases that are saved in `folder`.
    ///
    /// # Errors
    /// If it cannot be read, or holds no saved case.
    pub fn load(folder: &Path) -> Result<Corpus, CorpusError> {
        let failed = |error| CorpusError::File { path: folder.to_owned(), error };
        let entries = fs::read_dir(folder).map_err(failed)?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        paths.retain(|path| {
            // Only saved cases, whose names have 16 digits: the folder also holds inputs.
            path.extension().is_some_and(|it| it == "repro") && path.file_stem().is_some_and(|it| it.len() == 16)
        });
        paths.sort();
        let saved: Vec<String> = paths.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
        if saved.is_empty() {
            return Err(CorpusError::Nothing(folder.to_owned()));
        }
        Ok(Corpus { saved, scenarios: SCENARIOS.all(), folder: folder.to_owned() })
    }

    /// A random case, of `variant` if it is given, with an engine whose schedule lastref controls.
    fn case(&self, dice: &mut Dice, variant: Option<&str>) -> (Case, Engine) {
        loop {
            let scenario = dice.pick(&self.scenarios);
            let variant = variant.unwrap_or_else(|| dice.pick(&scenario.expectations()).variant);
            let engine = scenario.engines().into_iter().find(|engine| engine.is_scheduled());
            if let (Some(case), Some(engine)) = (scenario.case(variant), engine) {
                return (case, engine);
            }
        }
    }

    /// A valid token.
    pub(super) fn token(&self, dice: &mut Dice) -> Token {
        let (case, engine) = self.case(dice, None);
        let strategy = *dice.pick(&[StrategyName::MIX, StrategyName::RANDOM, StrategyName::URW, StrategyName::pct(3)]);
        let seed = if dice.once_in(2) { dice.below(100) as u64 } else { dice.any() };
        Token::new(Origin { case: case.name().clone(), engine, strategy, seed })
    }

    /// A saved case of a fixed variant, with a plan of its own and no switches.
    pub(super) fn planned(&self, dice: &mut Dice) -> Value {
        let (case, engine) = self.case(dice, Some("fixed"));
        let text: &String = dice.pick(&self.saved);
        let mut saved: Value = serde_json::from_str(text).unwrap_or_default();
        saved["origin"]["case"] = serde_json::to_value(case.name()).unwrap_or_default();
        saved["origin"]["engine"] = engine.word().into();
        saved["plan"] = case.plan(dice.any());
        saved["switches"] = Value::Array(Vec::new());
        saved
    }

    /// A valid command line that explores little.
    pub(super) fn command(&self, dice: &mut Dice) -> Vec<String> {
        let token = self.token(dice).to_string();
        let scenario = dice.pick(&self.scenarios);
        let (name, component) = (scenario.name(), scenario.component());
        let variant = dice.pick(&scenario.expectations()).variant;
        let engine = scenario.engines()[0].to_string();
        let lines: [&[&str]; 10] = [
            &["hunt", "--scenario", name, "--variant", variant, "--schedules", "1"],
            &["hunt", "--component", component, "--for", "1ms", "--jobs", "1", "--json"],
            &["--scenario", name, "--engine", &engine, "--schedules", "2", "--seed", "0x11"],
            &["run", name, "--variant", variant, "--schedules", "1", "--strategy", "pct3"],
            &["run", name, "--engine", &engine, "--seed", "17", "--recheck", "100", "--json"],
            &["list"],
            &["list", "--json"],
            &["replay", &token, "--full"],
            &["shrink", &token],
            &["--version"],
        ];
        dice.pick(&lines).iter().map(|&word| word.to_owned()).collect()
    }
}

/// A command line from its words.
pub(super) fn words(words: &[&str]) -> impl Iterator<Item = OsString> {
    ["lastref"].iter().chain(words).map(OsString::from).collect::<Vec<_>>().into_iter()
}

fn ask(arguments: &[&str]) -> cli::Answer {
    cli::answer(&SCENARIOS, words(arguments))
}
