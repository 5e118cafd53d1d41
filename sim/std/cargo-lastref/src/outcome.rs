//! The outcome of one test: the report of its process and the process's own end, judged together.

use crate::answer::Exit;
use crate::executable::Executable;
use crate::process::{Ending, Finished, Place};
use crate::report::{Report, Verdict};
use crate::token::Token;

/// A search of at least this many schedules had nothing to choose if at most [`FEW`] of them differ.
const MANY: u64 = 100;
/// A search of at least this many schedules that never reaches a `sometimes` fails: it proves nothing of that state. A
/// shorter one says so, and passes.
const REACHING: u64 = 1_000;
/// With at most this many different schedules a test has no choice worth a search.
const FEW: u64 = 2;
/// A search of at least this many schedules in which no run chose among threads had nothing to choose.
const ALONE: u64 = 20;

/// The result of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// Every schedule passed.
    Passed,
    /// It passed, and no schedule was explored: the test is not under the simulator.
    PassedPlain,
    /// The runtime abandoned the test, for example at the bound on steps.
    Skipped,
    /// It has `#[ignore]`.
    Ignored,
    /// A signal ended the search before the test began, or a test of an earlier executable failed.
    NotRun,
    /// A signal ended the search while the test ran.
    Interrupted,
    /// A run has a finding.
    Finding,
    /// The test failed without a finding.
    Failed,
    TimedOut,
    Hung,
    /// A signal ended the process.
    Died,
    /// The test or the machine does something that the runtime does not support.
    Misused,
    NotDeterministic,
    Broken,
}

impl Status {
    /// The word at the start of a line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Status::Passed => "PASS",
            Status::PassedPlain => "PLAIN",
            Status::Skipped => "SKIP",
            Status::Ignored => "IGNORED",
            Status::NotRun => "NOT RUN",
            Status::Interrupted => "STOPPED",
            Status::Finding => "FINDING",
            Status::Failed => "FAIL",
            Status::TimedOut => "TIMEOUT",
            Status::Hung => "HANG",
            Status::Died => "DIED",
            Status::Misused => "MISUSED",
            Status::NotDeterministic => "DIFFERS",
            Status::Broken => "BROKEN",
        }
    }

    /// Its exit code.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Status::Passed | Status::PassedPlain | Status::Skipped | Status::Ignored => Exit::Clean,
            // The signal gives the whole search its own exit code.
            Status::NotRun | Status::Interrupted => Exit::Clean,
            Status::Finding | Status::Failed | Status::TimedOut | Status::Hung | Status::Died => Exit::Finding,
            Status::Misused => Exit::Refused,
            Status::NotDeterministic => Exit::NotDeterministic,
            Status::Broken => Exit::Broken,
        }
    }

    /// Whether it ends a search that stops at the first failure.
    pub(crate) fn is_bad(self) -> bool {
        self.exit() != Exit::Clean
    }
}

/// One test and its result.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// The name of the executable, as it is shown.
    pub(crate) id: String,
    pub(crate) test: String,
    pub(crate) status: Status,
    /// The reason for the status, in a few words.
    pub(crate) reason: String,
    pub(crate) report: Report,
    /// The token of the finding, or of the run that the process was executing.
    pub(crate) token: Option<String>,
    pub(crate) place: Option<Place>,
    /// Whether the process spent most of its time in one run.
    pub(crate) is_stuck: bool,
    /// The end of the process's output.
    pub(crate) output: String,
    pub(crate) seconds: f64,
    /// The report of a shorter run with the same finding.
    pub(crate) shorter: Option<Report>,
}

impl Outcome {
    /// An outcome without a process.
    pub(crate) fn without(executable: &Executable, test: &str, status: Status) -> Outcome {
        Outcome {
            id: executable.id(),
            test: test.to_owned(),
            status,
            reason: String::new(),
            report: Report::default(),
            token: None,
            place: None,
            is_stuck: false,
            output: String::new(),
            seconds: 0.0,
            shorter: None,
        }
    }

    /// Judges a process that has ended.
    pub(crate) fn of(executable: &Executable, test: &str, finished: Finished) -> Outcome {
        let (status, reason) = judge(&finished);
        let report = finished.report.ok().flatten().unwrap_or_default();
        // Without a report, the seed and the settings of the search identify the run. If the whole search took too
        // long, its last run is not the cause.
        let is_of_run = match status {
            Status::TimedOut => finished.is_stuck,
            Status::Hung | Status::Died | Status::Finding => true,
            _ => false,
        };
        let at_place = finished.place.as_ref().filter(|_| is_of_run);
        let run = report.token.clone().or_else(|| at_place.map(Place::token));
        let token = run.map(|run| {
            let (package, target) = (executable.package.clone(), executable.target.clone());
            Token { package, target, test: test.to_owned(), run }.to_string()
        });
        Outcome {
            reason,
            report,
            token,
            place: finished.place,
            is_stuck: finished.is_stuck,
            output: finished.output,
            seconds: finished.seconds,
            ..Outcome::without(executable, test, status)
        }
    }

    /// `executable test`, as it is shown.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.id, self.test)
    }

    /// Whether the search of a test that passed had nothing to choose.
    pub(crate) fn had_no_choice(&self) -> bool {
        let Report { schedules, distinct, choices, .. } = self.report;
        let is_alone = choices == Some(0) && schedules >= ALONE;
        self.status == Status::Passed && distinct <= FEW && (is_alone || schedules >= MANY)
    }

    /// Whether a test passed although faults were requested and none happened in any run.
    pub(crate) fn had_no_fault(&self) -> bool {
        self.status == Status::Passed && self.report.faults.as_ref().is_some_and(|faults| faults.runs == 0)
    }
}

/// What the runs have used that is not simulated: the usual cause if a repeated run differs.
fn outside(report: Option<&Report>) -> String {
    let used = report.map(|report| report.outside.join(", ")).unwrap_or_default();
    if used.is_empty() { used } else { format!("; not simulated, and a likely cause: {used}") }
}

/// The status of a process that has ended, and the reason in a few words.
fn judge(finished: &Finished) -> (Status, String) {
    let report = match &finished.report {
        Ok(report) => report.as_ref(),
        Err(why) => return (Status::Broken, why.clone()),
    };
    let told = report.map_or(Verdict::Clean, |report| report.verdict);
    if let Some(crash) = crash(finished).filter(|_| matches!(told, Verdict::Clean | Verdict::Broken)) {
        return (Status::Finding, crash);
    }
    let message = || report.and_then(|report| report.message.clone()).unwrap_or_default();
    // A report of a finding stands, however the process ended afterwards.
    match told {
        Verdict::Finding => return (Status::Finding, finding(report)),
        Verdict::NotDeterministic => return (Status::NotDeterministic, message() + &outside(report)),
        Verdict::Broken => return (Status::Broken, message()),
        Verdict::Misused => return (Status::Misused, message()),
        Verdict::Clean => {}
    }
    match &finished.ending {
        Ending::Exited(0) if report.is_some() || finished.place.is_none() => match report {
            None => (Status::PassedPlain, String::from("ran once, outside the simulator")),
            Some(report) => match (&report.skipped, report.unreached()) {
                (Some(why), _) => (Status::Skipped, why.clone()),
                (None, Some(missed)) if report.schedules >= REACHING => (Status::Failed, missed),
                (None, _) => (Status::Passed, String::new()),
            },
        },
        // The runtime refuses, and its output has the reason.
        Ending::Exited(2) if refusal(&finished.output).is_some() => {
            (Status::Misused, refusal(&finished.output).unwrap_or_default().to_owned())
        }
        Ending::Exited(_) if report.is_some() => {
            (Status::Failed, String::from("every schedule passed, but the test harness reported a failure"))
        }
        Ending::Exited(code) if finished.place.is_some() => {
            (Status::Failed, format!("the test ended its process with exit code {code}"))
        }
        Ending::Exited(code) => (Status::Failed, format!("exit code {code}, ran outside the simulator")),
        Ending::Signal(signal) => (Status::Died, format!("killed by {}", signal_name(*signal))),
        Ending::TimedOut => (Status::TimedOut, String::from("reached its time limit")),
        Ending::Hung => (Status::Hung, String::from("made no step")),
        Ending::Stopped => (Status::Interrupted, made(finished)),
        Ending::Failed(why) => (Status::Broken, why.clone()),
    }
}

/// `crash in run 52: SIGSEGV`, and `crash: SIGSEGV` in a replay, if a signal of a crash has ended the process within a
/// run.
pub(crate) fn crash(finished: &Finished) -> Option<String> {
    use signal_hook::consts::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    let Ending::Signal(signal) = finished.ending else { return None };
    let is_crash = [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP].contains(&signal);
    let place = finished.place.as_ref().filter(|_| is_crash)?;
    Some(format!("crash{}: {}", place.in_run(), signal_name(signal)))
}

/// `interrupted in run 52`.
fn made(finished: &Finished) -> String {
    match &finished.place {
        Some(place) => format!("interrupted{}", place.in_run()),
        None => String::from("interrupted before its first run"),
    }
}

/// `deadlock in schedule 52`.
fn finding(report: Option<&Report>) -> String {
    let Some(report) = report else { return String::new() };
    let kind = report.kind.as_deref().unwrap_or("finding").replace('_', " ");
    match report.schedule {
        Some(schedule) => format!("{kind} in schedule {schedule}"),
        None => kind,
    }
}

/// The runtime's message in the output of a process that the runtime ended.
fn refusal(output: &str) -> Option<&str> {
    output.lines().rev().find_map(|line| line.strip_prefix("lastref: "))
}

/// The name of a signal that ends processes.
fn signal_name(signal: i32) -> String {
    use signal_hook::low_level::signal_name;
    signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned)
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// A process with this ending and this report.
    pub(crate) fn finished(ending: Ending, report: &str) -> Finished {
        let report = Report::last(report);
        let place = Some(Place { run: Some(4), seed: 7, step: 9, faults: String::new() });
        let output = String::from("one\nlast words\n");
        Finished { ending, report, place, is_stuck: false, output, seconds: 0.5 }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::finished;
    use super::*;

    #[track_caller]
    fn check(ending: Ending, report: &str, status: Status, reason: &str) {
        assert_eq!(judge(&finished(ending, report)), (status, reason.to_owned()));
    }

    const CLEAN: &str = r#"{"version":1,"verdict":"clean","schedules":1000,"distinct":3}"#;
    const FOUND: &str = r#"{"version":1,"verdict":"finding","kind":"use_after_free","schedule":3}"#;

    #[test]
    fn a_report_of_a_finding_stands_however_the_process_ended() {
        for ending in [Ending::Exited(0), Ending::Exited(101), Ending::Signal(11), Ending::Hung] {
            check(ending, FOUND, Status::Finding, "use after free in schedule 3");
        }
    }

    #[test]
    fn a_clean_report_does_not_hide_a_bad_end() {
        check(Ending::Exited(0), CLEAN, Status::Passed, "");
        let failed = "every schedule passed, but the test harness reported a failure";
        check(Ending::Exited(101), CLEAN, Status::Failed, failed);
        check(Ending::Signal(6), CLEAN, Status::Finding, "crash in run 4: SIGABRT");
        check(Ending::Signal(9), CLEAN, Status::Died, "killed by SIGKILL");
        check(Ending::TimedOut, CLEAN, Status::TimedOut, "reached its time limit");
    }

    #[test]
    fn without_a_report_the_end_of_the_process_decides() {
        let plain = |ending| judge(&Finished { place: None, ..finished(ending, "") });
        assert_eq!(plain(Ending::Exited(0)), (Status::PassedPlain, String::from("ran once, outside the simulator")));
        assert_eq!(plain(Ending::Exited(101)).1, "exit code 101, ran outside the simulator");
        assert_eq!(plain(Ending::Exited(2)).0, Status::Failed);
        let output = String::from("running 1 test\nlastref: LASTREF_SEED=x: not a number\n");
        let refused = Finished { output, ..finished(Ending::Exited(2), "") };
        assert_eq!(judge(&refused), (Status::Misused, String::from("LASTREF_SEED=x: not a number")));
        check(Ending::Signal(11), "", Status::Finding, "crash in run 4: SIGSEGV");
        check(Ending::Hung, "", Status::Hung, "made no step");
        check(Ending::Stopped, "", Status::Interrupted, "interrupted in run 4");
    }

    #[test]
    fn a_process_that_exits_within_a_run_was_in_the_simulator() {
        let mut exited = finished(Ending::Exited(7), "");
        let told = |finished: &Finished| judge(finished).1;
        assert_eq!(told(&exited), "the test ended its process with exit code 7");
        exited.ending = Ending::Exited(0);
        assert_eq!(judge(&exited), (Status::Failed, String::from("the test ended its process with exit code 0")));
    }

    #[test]
    fn a_run_that_differs_names_what_is_not_simulated() {
        let report = |outside: &str| {
            format!(r#"{{"version":1,"verdict":"not_deterministic","message":"run 2 differs","outside":[{outside}]}}"#)
        };
        check(Ending::Exited(3), &report(""), Status::NotDeterministic, "run 2 differs");
        let cause = "run 2 differs; not simulated, and a likely cause: files";
        check(Ending::Exited(3), &report("\"files\""), Status::NotDeterministic, cause);
    }

    #[test]
    fn a_long_search_must_reach_each_rare_state() {
        let report = |schedules: u64, runs: u64| {
            format!(r#"{{"version":1,"verdict":"clean","schedules":{schedules},"reached":{{"it is rare":{runs}}}}}"#)
        };
        check(Ending::Exited(0), &report(1_000, 1), Status::Passed, "");
        check(Ending::Exited(0), &report(999, 0), Status::Passed, "");
        check(Ending::Exited(0), &report(1_000, 0), Status::Failed, "no run reached `it is rare`");
    }

    #[test]
    fn a_report_that_is_cut_is_a_bug_of_the_harness() {
        assert_eq!(judge(&finished(Ending::Exited(0), "{\"version\":1")).0, Status::Broken);
        assert_eq!(judge(&finished(Ending::Exited(0), "{\"version\":1}")).0, Status::Broken);
    }

    #[test]
    fn the_worst_status_has_its_own_exit_code() {
        let codes = [Status::Skipped, Status::Hung, Status::Misused, Status::NotDeterministic, Status::Broken]
            .map(|status| status.exit().code());
        assert_eq!(codes, [0, 1, 2, 3, 101]);
    }
}
