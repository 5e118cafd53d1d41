//! The argument of `replay` and `shrink`: a token, or a saved case.
//!
//! An argument that names a file, or looks like the name of one, is a file; any other is a token. A token of a shrunk
//! case is only a digest of the saved case, whose file is searched in the folder of saved cases.

use std::path::{Path, PathBuf};

use lastref::explore::{CaseName, Origin, Replay, Report, Verdict, run_one};
use lastref::replay::{Repro, ShrinkLimits, Shrunk, Token, replay_repro, shrink, shrink_repro};

use super::error::Error;
use super::filter::Chosen;
use super::project::Project;
use super::saved;

/// One execution, and the cell that it belongs to.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) chosen: Chosen,
    pub(super) execution: Execution,
}

/// The form in which the execution is given.
#[derive(Debug)]
pub(super) enum Execution {
    /// By its seed.
    Seed(Origin),
    /// By a saved case, if no seed gives it.
    Saved { repro: Box<Repro>, path: PathBuf },
}

impl Source {
    /// Reads the case that `input` names; `folder` is the folder of saved cases.
    pub(super) fn read(project: Project<'_>, input: &str, folder: &Path) -> Result<Source, Error> {
        let is_token = Token::is_meant(input);
        // A pasted token may have spaces around it; so may the name of a file.
        let input = if is_token { input.trim() } else { input };
        let path = Path::new(input);
        let is_path = input.contains(['/', '\\']) && !is_token;
        if is_path || path.exists() || path.extension().is_some_and(|extension| extension == "repro") {
            return Source::of_file(project, path.to_owned());
        }
        let token: Token = input.parse()?;
        match &token {
            Token::Seed(origin) => {
                let chosen = chosen(project, origin, input)?;
                Ok(Source { chosen, execution: Execution::Seed(origin.clone()) })
            }
            Token::Repro { digest, .. } => {
                let path = folder.join(Repro::file_of(*digest));
                if path.exists() {
                    let source = Source::of_file(project, path)?;
                    source.must_be(&token, input)?;
                    Ok(source)
                } else {
                    Err(Error::NoSavedCase { token: input.to_owned(), path })
                }
            }
        }
    }

    /// The seed of the execution's own draws.
    pub(super) fn seed(&self) -> u64 {
        match &self.execution {
            Execution::Seed(origin) => origin.seed,
            Execution::Saved { repro, .. } => repro.seed,
        }
    }

    /// Runs it, with its tables.
    pub(super) fn run(&self) -> Result<Report, Error> {
        let case = &self.chosen.cell.case;
        match &self.execution {
            Execution::Seed(origin) => Ok(run_one(case, origin.engine, origin.strategy, origin.seed)),
            Execution::Saved { repro, path } => {
                let mut report = replay_repro(case, repro)?;
                if let Verdict::Violation(failure) = &mut report.verdict
                    && repro.is_edited()
                {
                    // No saved file has the content that its token names.
                    failure.replay = Replay::File(path.clone());
                }
                Ok(report)
            }
        }
    }

    /// The remark on a saved case whose run differs from the saved one; `report` is of its run.
    pub(super) fn remark(&self, report: &Report) -> Result<Option<String>, Error> {
        match &self.execution {
            Execution::Seed(_) => Ok(None),
            Execution::Saved { repro, path } => saved::remark(repro, path, report),
        }
    }

    /// The smallest case that violates the same property, or an error if this one violates none; and the remark on the
    /// case. `input` names it in an error.
    pub(super) fn shrink(&self, input: &str, limits: ShrinkLimits) -> Result<(Shrunk, Option<String>), Error> {
        let case = &self.chosen.cell.case;
        let engine = self.chosen.cell.engine;
        if !engine.is_scheduled() {
            return Err(Error::NotShrinkable { input: input.to_owned(), engine });
        }
        let report = self.run()?;
        let remark = self.remark(&report)?;
        let nothing = || Error::NothingToShrink { input: input.to_owned() };
        let failure = report.failure().ok_or_else(nothing)?;
        let shrunk = match &self.execution {
            Execution::Seed(_) => shrink(case, failure, limits),
            Execution::Saved { repro, .. } => {
                // With other code, or an edited plan, the run may violate another property than when it was saved.
                let mut repro = repro.clone();
                (repro.kind, repro.property) = (failure.violation.kind, failure.violation.property.clone());
                shrink_repro(case, &repro, limits)?
            }
        };
        Ok((shrunk.ok_or_else(nothing)?, remark))
    }

    /// A token of a shrunk case names content: a file that was edited since is another case.
    fn must_be(&self, token: &Token, input: &str) -> Result<(), Error> {
        match &self.execution {
            Execution::Saved { repro, path } if repro.token() != *token => {
                Err(Error::OtherContent { token: input.to_owned(), path: path.clone() })
            }
            _ => Ok(()),
        }
    }

    fn of_file(project: Project<'_>, path: PathBuf) -> Result<Source, Error> {
        let repro = Box::new(Repro::load(&path)?);
        let chosen = chosen(project, &repro.origin, &path.display().to_string())?;
        Ok(Source { chosen, execution: Execution::Saved { repro, path } })
    }
}

/// The cell that `input` names, if this build has it.
fn chosen(project: Project<'_>, origin: &Origin, input: &str) -> Result<Chosen, Error> {
    let CaseName { component, scenario, variant } = &origin.case;
    let of_another_build = |unknown| Error::OfAnotherBuild { input: input.to_owned(), unknown };
    let scenario = project.scenarios.find(&format!("{component}/{scenario}")).map_err(of_another_build)?;
    Chosen::new(project, &scenario, variant, origin.engine, origin.strategy).map_err(|error| match error {
        Error::Unknown(unknown) => of_another_build(unknown),
        other => other,
    })
}
