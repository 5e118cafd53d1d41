//! The tests of a search, spread over processes.
//!
//! As with `cargo test`, executables are started in order, and none is started after one that had a failure, unless
//! `--no-fail-fast` is given. Several may run at once, so that no core is idle during the last test of one.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use crate::clock::Clock;
use crate::executable::Executable;
use crate::harness_flags::HarnessFlags;
use crate::outcome::{Outcome, Status, crash};
use crate::process::{self, Limits};
use crate::progress::Progress;
use crate::search::{self, Variables};
use lastref_cli::Stop;

/// The name of the single item that represents an executable with its own harness.
pub(crate) const WHOLE: &str = "(own harness)";

/// Maximum number of processes for one test: each crash starts another one.
const PROCESSES_MAX: u32 = 5;

/// One item of the queue.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// An index into the executables.
    pub(crate) executable: usize,
    /// The test; `None` for an executable with its own harness, which runs as a whole.
    pub(crate) test: Option<String>,
    pub(crate) is_ignored: bool,
}

/// The settings with which the tests of a search are run.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) executables: &'a [Executable],
    pub(crate) variables: Variables,
    pub(crate) limits: Limits,
    pub(crate) jobs: usize,
    pub(crate) fail_fast: bool,
    pub(crate) harness: &'a HarnessFlags,
}

impl Plan<'_> {
    /// Runs the items, and returns an outcome for each, in their order.
    pub(crate) fn run(&self, items: &[Item], progress: &Progress, stop: &Stop) -> Vec<Outcome> {
        let next = Mutex::new(0..items.len());
        // The first executable with a failure.
        let failed = AtomicUsize::new(usize::MAX);
        let (sender, receiver) = mpsc::channel();
        let mut outcomes: Vec<(usize, Outcome)> = std::thread::scope(|scope| {
            for _ in 0..self.jobs.min(items.len()) {
                let sender = sender.clone();
                let (next, failed) = (&next, &failed);
                let worker = move || {
                    while let Some(index) = take(next) {
                        let item = &items[index];
                        let is_over = self.fail_fast && item.executable > failed.load(Ordering::SeqCst);
                        let outcome = self.one(item, is_over || stop.is_asked(), progress, stop);
                        if outcome.status.is_bad() {
                            failed.fetch_min(item.executable, Ordering::SeqCst);
                        }
                        // Sending cannot fail: the receiver outlives the scope's threads.
                        let _ = sender.send((index, outcome));
                    }
                };
                // With fewer threads the search takes longer. If no thread starts, nothing runs, which is reported
                // below.
                if std::thread::Builder::new().spawn_scoped(scope, worker).is_err() {
                    break;
                }
            }
            drop(sender);
            let tell = |(index, outcome): (usize, Outcome)| {
                progress.finished(&outcome);
                (index, outcome)
            };
            receiver.into_iter().map(tell).collect()
        });
        for (index, item) in items.iter().enumerate().skip(outcomes.len()) {
            let name = item.test.as_deref().unwrap_or(WHOLE);
            let mut broken = Outcome::without(&self.executables[item.executable], name, Status::Broken);
            broken.reason = String::from("no thread can be started");
            outcomes.push((index, broken));
        }
        outcomes.sort_by_key(|(index, _)| *index);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    fn one(&self, item: &Item, is_over: bool, progress: &Progress, stop: &Stop) -> Outcome {
        let executable = &self.executables[item.executable];
        let name = item.test.as_deref().unwrap_or(WHOLE);
        if item.is_ignored {
            return Outcome::without(executable, name, Status::Ignored);
        }
        if is_over {
            return Outcome::without(executable, name, Status::NotRun);
        }
        progress.started(&format!("{} {name}", executable.id()));
        match &item.test {
            Some(test) => self.search(executable, test, stop),
            None => {
                let finished = process::run_whole(executable, &self.harness.choice_with_ignored(), self.limits, stop);
                Outcome::of(executable, name, finished)
            }
        }
    }

    /// Searches one test. A crash that ends its process is a finding, and the search goes on in a new process after the
    /// run that crashed: another run may have a finding that can report itself.
    fn search(&self, executable: &Executable, test: &str, stop: &Stop) -> Outcome {
        let mut variables = self.variables.clone();
        let mut crashed: Option<Outcome> = None;
        let mut schedules = 0;
        let clock = Clock::start();
        for _ in 0..PROCESSES_MAX {
            // The time limit is one for all processes of the test.
            let timeout = self.limits.timeout.map(|timeout| timeout.saturating_sub(clock.elapsed()));
            let limits = Limits { timeout, ..self.limits };
            let finished = process::run(executable, test, &variables, limits, stop);
            let run = finished.place.as_ref().and_then(|place| place.run).unwrap_or(0);
            let is_crash = crash(&finished).is_some();
            // Its runs are known from the progress file alone.
            let is_cut = matches!(finished.report, Ok(None));
            let seconds = finished.seconds;
            let ran_none = finished.ran_none();
            let mut outcome = Outcome::of(executable, test, finished);
            if ran_none && outcome.status == Status::PassedPlain {
                outcome.status = Status::Failed;
                outcome.reason = String::from("the test harness lists this test, and found none of this name");
            }
            outcome.seconds += crashed.as_ref().map_or(0.0, |crashed| crashed.seconds);
            schedules += if is_crash { 1 } else { outcome.report.schedules };
            // The runs that the process executed before it ended, which its report would have counted.
            let last = self.after(&variables);
            let is_further = is_crash && run > last;
            if is_cut && run > last {
                schedules += run - last - 1;
            }
            let has_report = outcome.report.kind.is_some();
            let mut kept = match crashed.take() {
                // The first crash stands, unless a later run reports itself.
                Some(first) if !(outcome.status == Status::Finding && has_report) => {
                    Outcome { seconds: outcome.seconds, ..first }
                }
                Some(first) => Outcome { reason: format!("{}; also a {}", outcome.reason, first.reason), ..outcome },
                None => outcome,
            };
            kept.report.schedules = schedules;
            if !is_further || stop.is_asked() || !go_on(&mut variables, run, seconds) {
                return kept;
            }
            crashed = Some(kept);
        }
        crashed.unwrap_or_else(|| unreachable!("invariant: a search begins with a process"))
    }

    /// The number of the run after which a process begins.
    fn after(&self, variables: &Variables) -> u64 {
        let value = variables.iter().find(|(name, _)| *name == search::AFTER);
        value.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
    }
}

/// Sets the variables for the rest of a search; false if it has no time left.
fn go_on(variables: &mut Variables, run: u64, seconds: f64) -> bool {
    variables.retain(|(name, _)| *name != search::AFTER);
    variables.push((search::AFTER, run.to_string()));
    let Some((_, time)) = variables.iter_mut().find(|(name, _)| *name == search::FOR_MS) else { return true };
    let left = time.parse().unwrap_or(0_u64).saturating_sub((seconds * 1_000.0) as u64);
    *time = left.to_string();
    left > 0
}

fn take(next: &Mutex<std::ops::Range<usize>>) -> Option<usize> {
    next.lock().unwrap_or_else(PoisonError::into_inner).next()
}
