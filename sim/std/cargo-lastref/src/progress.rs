//! Progress of a search: a line for each finished test, and on a terminal a bar below them.
//!
//! All of it goes to stderr as it happens, and affects no result.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::outcome::{Outcome, Status};
use crate::report::FaultRuns;
use crate::terminal::{self, BAD, GOOD, WEAK, styled};

/// The interval at which the bar's time is updated.
const TICK: Duration = Duration::from_millis(250);

/// Progress through a number of tests.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// For this number of tests.
    pub(crate) fn new(tests: usize) -> Progress {
        let target = match terminal::stderr_is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(tests as u64), target);
        // A template is a constant, so this cannot fail; if it did, the plain style would do.
        let style = ProgressStyle::with_template("{elapsed:>8} {bar:24} {pos}/{len} tests, {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        if terminal::stderr_is_terminal() {
            bar.enable_steady_tick(TICK);
        }
        Progress { bar }
    }

    /// Notes the start of a test.
    pub(crate) fn started(&self, name: &str) {
        self.bar.set_message(name.to_owned());
        self.bar.tick();
    }

    /// Notes the end of a test.
    pub(crate) fn finished(&self, outcome: &Outcome) {
        self.bar.inc(1);
        if !matches!(outcome.status, Status::Ignored | Status::NotRun) {
            self.say(&line(outcome));
        }
    }

    /// Prints a line above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| {
            // An error in writing progress must not end a search.
            let _ = writeln!(anstream::stderr(), "{line}");
        });
    }

    /// Removes the bar, to make room for the answer.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// One line for a test: status, seconds, name, and the reason for the status.
pub(crate) fn line(outcome: &Outcome) -> String {
    let style = match outcome.status {
        Status::Passed => GOOD,
        status if status.is_bad() => BAD,
        _ => WEAK,
    };
    let word = styled(style, &format!("{:>12}", outcome.status.word()));
    let said = said(outcome);
    let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
    format!("{word} [{:>8.3}s] {}{said}", outcome.seconds, outcome.name())
}

/// The extent of a search, or the reason of its end.
fn said(outcome: &Outcome) -> String {
    if outcome.status != Status::Passed {
        return outcome.reason.clone();
    }
    let schedules = count(outcome.report.schedules, "schedule");
    let mut said = format!("{schedules}, {} distinct", outcome.report.distinct);
    if outcome.had_no_choice() {
        said.push_str(": nothing to choose");
    }
    if let Some(faults) = &outcome.report.faults {
        said.push_str(&said_of(faults));
    }
    if let Some(missed) = outcome.report.unreached() {
        said.push_str(&format!("; {missed}"));
    }
    if !outcome.report.outside.is_empty() {
        said.push_str(&format!("; not simulated: {}", outcome.report.outside.join(", ")));
    }
    if let Some(remark) = &outcome.report.message {
        said.push_str(&format!("; {remark}"));
    }
    said
}

/// `; faults in 870 runs: reset 502, stall 399`.
fn said_of(faults: &FaultRuns) -> String {
    if faults.runs == 0 {
        return String::from("; no fault happened");
    }
    let kinds: Vec<String> = faults.kinds.iter().map(|(kind, runs)| format!("{kind} {runs}")).collect();
    format!("; faults in {}: {}", count(faults.runs, "run"), kinds.join(", "))
}

/// `1 test`, `2 tests`, `2 switches`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let ending = match noun {
        _ if number == 1 => "",
        noun if noun.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{number} {noun}{ending}")
}
