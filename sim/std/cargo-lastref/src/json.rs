//! The JSON that `--json` prints.
//!
//! It is an interface for scripts, so a field is never renamed and never left out (a value that does not apply is
//! null). Seeds and hashes are text in hexadecimal, since most readers of JSON keep 53 bits of a number.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::outcome::{Outcome, Status};
use crate::report::{Event, FaultRuns, Report};

/// A test and its result.
#[derive(Debug, Serialize)]
pub(crate) struct Test<'a> {
    executable: &'a str,
    test: &'a str,
    /// `passed`, `finding`, `failed` and so on.
    status: &'static str,
    reason: &'a str,
    kind: Option<&'a str>,
    message: Option<&'a str>,
    facts: &'a [(String, String)],
    schedules: u64,
    distinct: u64,
    choices: Option<u64>,
    steps: u64,
    /// Whether the search had nothing to choose.
    no_choice: bool,
    seed: Option<&'a str>,
    schedule: Option<u64>,
    step: Option<u64>,
    strategy: Option<&'a str>,
    settings: Option<&'a str>,
    early_timer_needed: bool,
    /// What the test uses although it is not simulated, such as files.
    outside: &'a [String],
    /// The number of runs in which faults happened; null if no faults were requested.
    faults: Option<&'a FaultRuns>,
    /// The sentences of `sometimes`, and the number of runs that reached each.
    reached: &'a BTreeMap<String, u64>,
    /// Whether faults were requested, but none happened in any run.
    no_fault: bool,
    token: Option<&'a str>,
    /// The token of the shortest run found, if it is not the first.
    shortest_token: Option<&'a str>,
    trace_hash: Option<&'a str>,
    tasks: &'a [String],
    /// The events of the shortest run found.
    events: &'a [Event],
    cpu_seconds: f64,
    seconds: f64,
}

impl Test<'_> {
    /// The result of a test, or of a replay.
    pub(crate) fn of(outcome: &Outcome) -> Test<'_> {
        let Report { kind, message, seed, settings, trace_hash, .. } = &outcome.report;
        let report = &outcome.report;
        let place = outcome.place.as_ref().filter(|_| outcome.status.is_bad());
        let shown = outcome.shorter.as_ref().unwrap_or(report);
        Test {
            executable: &outcome.id,
            test: &outcome.test,
            status: word(outcome.status),
            reason: &outcome.reason,
            kind: kind.as_deref(),
            message: message.as_deref(),
            facts: &report.facts,
            schedules: report.schedules,
            distinct: report.distinct,
            choices: report.choices,
            steps: report.steps,
            no_choice: outcome.had_no_choice(),
            seed: seed.as_deref(),
            schedule: report.schedule.or(place.and_then(|place| place.run)),
            step: report.step.or(place.map(|place| place.step)),
            strategy: report.strategy.as_deref(),
            settings: settings.as_deref(),
            early_timer_needed: report.early_timer_needed,
            outside: &report.outside,
            faults: report.faults.as_ref(),
            reached: &report.reached,
            no_fault: outcome.had_no_fault(),
            token: outcome.token.as_deref(),
            shortest_token: outcome.shorter.as_ref().and_then(|shorter| shorter.token.as_deref()),
            trace_hash: trace_hash.as_deref(),
            tasks: &shown.tasks,
            events: &shown.events,
            cpu_seconds: report.cpu_seconds,
            seconds: outcome.seconds,
        }
    }
}

/// The result of `test`.
#[derive(Debug, Serialize)]
pub(crate) struct Tested<'a> {
    pub(crate) tests: Vec<Test<'a>>,
    /// Whether the doc tests passed; null if there were none to run.
    pub(crate) doc_tests: Option<bool>,
    /// Whether a signal ended the search.
    pub(crate) stopped: bool,
    pub(crate) exit_code: u8,
    pub(crate) seconds: f64,
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Passed => "passed",
        Status::PassedPlain => "passed_plain",
        Status::Skipped => "skipped",
        Status::Ignored => "ignored",
        Status::NotRun => "not_run",
        Status::Interrupted => "interrupted",
        Status::Finding => "finding",
        Status::Failed => "failed",
        Status::TimedOut => "timed_out",
        Status::Hung => "hung",
        Status::Died => "died",
        Status::Misused => "misused",
        Status::NotDeterministic => "not_deterministic",
        Status::Broken => "broken",
    }
}

/// A value as one line of JSON.
pub(crate) fn line(value: &impl Serialize) -> String {
    // Numbers, text and lists of them: every key is text, so this cannot fail.
    let text = serde_json::to_string(value).expect("invariant: plain data is JSON");
    text + "\n"
}
