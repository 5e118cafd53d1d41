//! `shrink`: the smallest case that still violates the same property, saved.

use std::fmt::Write;

use lastref::replay::ShrinkLimits;

use super::answer::{Answer, Exit};
use super::args::ShrinkArguments;
use super::error::Error;
use super::outcome::Outcome;
use super::project::Project;
use super::source::Source;
use super::{folder, replay};

/// Shrinks, saves, and shows the saved case.
///
/// The folder is checked first: a search that takes a while must not end without a place for its result.
pub(super) fn shrink(project: Project<'_>, arguments: &ShrinkArguments, limits: ShrinkLimits) -> Result<Answer, Error> {
    let source = Source::read(project, &arguments.case, &arguments.folder.dir)?;
    folder::check(&arguments.folder.dir)?;
    let (shrunk, remark) = source.shrink(&arguments.case, limits)?;
    let path = shrunk.repro.save(&arguments.folder.dir)?;
    let (chosen, seed) = (source.chosen, shrunk.repro.seed);
    let outcome = Outcome { chosen, seed, report: shrunk.report, shortest: None, repro: Some(path.clone()) };
    let mut text = replay::text(project.program, &outcome, false);
    let _ = writeln!(text, "\nsaved: {}", path.display());
    let _ = writeln!(text, "token: {}", shrunk.repro.token());
    let _ = writeln!(text, "runs: {}, preemptions left: {}", shrunk.tried, shrunk.preemptions);
    Ok(Answer { remarks: remark.into_iter().collect(), ..Answer::new(text, Exit::AsExpected) })
}
