//! The repro file: a case that no seed produces, with its plan and its schedule in full.
//!
//! A file may come from an editor, a merge or a broken disk, so it holds the digest of its own content: a file whose
//! digest matches and whose run differs was saved with other code, and one whose digest does not match was edited.
//! Everything in it is checked before use: its form here, its plan by the plan's type, its claims by the run.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kernel::record::{Keep, Violation, ViolationKind};
use kernel::seed::{fold_str, mix};
use kernel::strategy::{Forced, Switch};
use serde::{Deserialize, Serialize};

use super::strict;
use super::token::Token;
use crate::engine::Engine;
use crate::explore::{Case, CaseName, Exact, Origin, Replay, Report, Verdict, run_exact};
use crate::plan::{AnyPlan, BadPlan};

const FORMAT: &str = "lastref-repro";
/// Version 3 had other fault names.
const VERSION: u32 = 4;

/// An execution given by its plan and its forced switches. JSON, versioned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repro {
    format: String,
    version: u32,
    /// The execution from which it was shrunk.
    pub origin: Origin,
    /// The kind of violation.
    pub kind: ViolationKind,
    /// The property that does not hold.
    pub property: String,
    /// The plan, as its scenario writes it.
    pub plan: serde_json::Value,
    /// The seed of the model's own draws.
    pub seed: u64,
    /// The steps at which the schedule departs from running each task as long as it can continue.
    pub switches: Vec<Switch>,
    /// The hash of the trace that a replay must show.
    #[serde(with = "hex")]
    pub trace_hash: u64,
    /// The digest of all of the above when it was saved.
    #[serde(with = "hex")]
    check: u64,
}

/// Hashes as text: a JSON number loses bits in many readers.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{value:#018x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The text as saved, and no other form: one content has one digest.
        let value = crate::explore::parse_seed(&text).filter(|value| format!("{value:#018x}") == text);
        value.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a hash of 0x and 16 digits")))
    }
}

/// Why a repro file cannot be read, written or replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReproError {
    /// The file cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// The file.
        path: String,
        /// The system's error.
        error: io::Error,
    },
    /// It is not a repro file.
    #[error("`{path}` is not a repro file: {reason}")]
    Foreign {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is truncated.
    #[error("`{path}` is truncated: {reason}")]
    Truncated {
        /// The file.
        path: String,
        /// The position at which it ends.
        reason: String,
    },
    /// It was written by another version.
    #[error("`{path}` is a repro file of version {version}, {}, and this program reads version {VERSION}", age(*.version))]
    OtherVersion {
        /// The file.
        path: String,
        /// Its version.
        version: u64,
    },
    /// A repro file forces the schedule of a run, which only some engines support.
    #[error("`{path}` was edited: it names engine `{engine}`, whose schedule a file cannot force")]
    Engine {
        /// The file.
        path: String,
        /// The engine.
        engine: Engine,
    },
    /// Its plan is not valid for its scenario.
    #[error("{case} cannot run this plan: {bad}")]
    Plan {
        /// The case.
        case: CaseName,
        /// What is wrong with the plan.
        bad: BadPlan,
    },
    /// The folder cannot be written.
    #[error("cannot write `{path}`: {error}")]
    Write {
        /// The file.
        path: String,
        /// The system's error.
        error: io::Error,
    },
    /// A file of the same name has different content.
    #[error("`{path}` already exists with different content, and is not overwritten")]
    Occupied {
        /// The file.
        path: String,
    },
}

/// Whether a version of the format is older or newer than ours.
fn age(version: u64) -> &'static str {
    if version < u64::from(VERSION) { "which is older" } else { "which is newer" }
}

/// A run whose plan, seed and schedule are all known, to be saved.
pub(crate) struct Saved<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) violation: &'a Violation,
    pub(crate) plan: serde_json::Value,
    pub(crate) seed: u64,
    pub(crate) switches: Vec<Switch>,
    pub(crate) trace_hash: u64,
}

impl Repro {
    pub(crate) fn new(saved: Saved<'_>) -> Repro {
        let Saved { origin, violation, plan, seed, switches, trace_hash } = saved;
        let repro = Repro {
            format: FORMAT.to_owned(),
            version: VERSION,
            origin: origin.clone(),
            kind: violation.kind,
            property: violation.property.clone(),
            plan,
            seed,
            switches,
            trace_hash,
            check: 0,
        };
        Repro { check: repro.digest(), ..repro }
    }

    fn text(&self) -> String {
        // A plan is serde data, so this cannot fail; if it did, the empty file would be refused as invalid.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Computes the digest of the content.
    pub fn digest(&self) -> u64 {
        mix(fold_str(0, &Repro { check: 0, ..self.clone() }.text()))
    }

    /// Whether the content was changed since it was saved.
    pub fn is_edited(&self) -> bool {
        self.check != self.digest()
    }

    /// The token that names it.
    pub fn token(&self) -> Token {
        Token::Repro { case: self.origin.case.clone(), engine: self.origin.engine, digest: self.digest() }
    }

    /// The file name under which it is saved.
    pub fn file_name(&self) -> String {
        Repro::file_of(self.digest())
    }

    /// The file name for a token's digest.
    pub fn file_of(digest: u64) -> String {
        format!("{digest:016x}.repro")
    }

    /// Reads a repro file.
    ///
    /// # Errors
    /// If it cannot be read, is truncated, has another version, or is not a repro file.
    pub fn load(path: &Path) -> Result<Repro, ReproError> {
        let name = || path.display().to_string();
        let bytes = read(path).map_err(|error| ReproError::Read { path: name(), error })?;
        let value = strict::from_slice(&bytes).map_err(|error| {
            if error.is_eof() {
                ReproError::Truncated { path: name(), reason: error.to_string() }
            } else {
                ReproError::Foreign { path: name(), reason: error.to_string() }
            }
        })?;
        if value.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
            return Err(ReproError::Foreign { path: name(), reason: format!("its `format` is not `{FORMAT}`") });
        }
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => return Err(ReproError::OtherVersion { path: name(), version }),
            None => return Err(ReproError::Foreign { path: name(), reason: "it has no `version`".to_owned() }),
        }
        let repro: Repro = serde_path_to_error::deserialize(value)
            .map_err(|error| ReproError::Foreign { path: name(), reason: error.to_string() })?;
        match repro.origin.engine {
            engine if engine.is_scheduled() => Ok(repro),
            engine => Err(ReproError::Engine { path: name(), engine }),
        }
    }

    pub(crate) fn plan_of(&self, case: &Case) -> Result<AnyPlan, ReproError> {
        case.decode(&self.plan).map_err(|bad| ReproError::Plan { case: case.name().clone(), bad })
    }

    /// Writes it into `dir`, which is created if necessary, under a name derived from its content.
    ///
    /// # Errors
    /// If the folder or the file cannot be written, or a file of that name has different content.
    pub fn save(&self, dir: &Path) -> Result<PathBuf, ReproError> {
        let path = dir.join(self.file_name());
        let name = || path.display().to_string();
        let text = self.text();
        let failed = |error| ReproError::Write { path: name(), error };
        fs::create_dir_all(dir).map_err(failed)?;
        match fs::read(&path) {
            Ok(there) if there == text.as_bytes() => return Ok(path),
            Ok(_) => return Err(ReproError::Occupied { path: name() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        // Written in full or not at all: to a temporary file, then renamed.
        let aside = dir.join(format!(".{}.{}", self.file_name(), std::process::id()));
        let written = fs::File::create(&aside)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&aside, &path));
        if let Err(error) = written {
            // The temporary file is worthless; if it cannot be removed either, the first error gives the cause.
            let _ = fs::remove_file(&aside);
            return Err(failed(error));
        }
        Ok(path)
    }
}

/// The content of a file. A device or a pipe may never end, so it is not read.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = fs::metadata(path)?;
    if !file.is_file() && !file.is_dir() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    fs::read(path)
}

/// Repeats the execution of a repro file.
///
/// # Errors
/// If its plan is not valid for the case, or out of its bounds.
pub fn replay_repro(case: &Case, repro: &Repro) -> Result<Report, ReproError> {
    let plan = repro.plan_of(case)?;
    if !repro.origin.engine.is_built() {
        return Ok(Report::not_built(repro.origin.engine));
    }
    let strategy = Box::new(Forced::new(&repro.switches));
    let outcome = run_exact(case, repro.origin.engine, Exact { plan, seed: repro.seed, strategy, keep: Keep::Events });
    let mut report = Report::of_run(repro.origin.clone(), &outcome);
    if let Verdict::Violation(failure) = &mut report.verdict {
        failure.replay = Replay::Token(repro.token());
    }
    Ok(report)
}
