//! The shortest interleaving of a finding, for the first findings of a search.
//!
//! The first run with a finding is long, and most of it is unrelated to the finding.

use std::time::Duration;

use crate::args::SettingArguments;
use crate::executable::Executable;
use crate::outcome::{Outcome, Status};
use crate::process::{self, Limits};
use crate::report::{Report, Verdict};
use crate::search;
use crate::token::Token;
use lastref_cli::Stop;

/// Adds the shortest run found within this time to a finding.
pub(crate) fn add(
    outcome: &mut Outcome,
    executable: &Executable,
    settings: &SettingArguments,
    time: Duration,
    stop: &Stop,
) {
    if outcome.status != Status::Finding {
        return;
    }
    let Some(run) = outcome.report.token.clone() else { return };
    outcome.shorter = find(executable, &outcome.test, settings, &run, time, stop)
        .filter(|shorter| shorter.kind == outcome.report.kind && shorter.length() < outcome.report.length());
}

/// The report of a shorter run with a finding. Its token has this program's format.
pub(crate) fn find(
    executable: &Executable,
    test: &str,
    settings: &SettingArguments,
    run: &str,
    time: Duration,
    stop: &Stop,
) -> Option<Report> {
    let limits = Limits { timeout: Some(time), hang: time };
    let finished = process::run(executable, test, &search::of_shrink(settings, run, time), limits, stop);
    let mut report = finished.report.ok().flatten().filter(|report| report.verdict == Verdict::Finding)?;
    let name = |run: String| {
        let (package, target) = (executable.package.clone(), executable.target.clone());
        Token { package, target, test: test.to_owned(), run }.to_string()
    };
    report.token = report.token.take().map(name);
    Some(report)
}
