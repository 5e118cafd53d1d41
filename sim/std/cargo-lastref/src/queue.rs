//! The tests of a search, spread over processes.
//!
//! As with `cargo test`, executables are started in order, and none is started after one that had a failure, unless
//! `--no-fail-fast` is given. Several may run at once, so that no core is idle during the last test of one.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use crate::executable::Executable;
use crate::harness_flags::HarnessFlags;
use crate::outcome::{Outcome, Status};
use crate::process::{self, Limits};
use crate::progress::Progress;
use crate::search::Variables;
use lastref_cli::Stop;

/// The name of the item for an executable with its own harness, which stands for all its tests.
pub(crate) const WHOLE: &str = "(own harness)";

/// One item of the queue.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// An index into the executables.
    pub(crate) executable: usize,
    /// The test; `None` for an executable with its own harness, which runs as a whole.
    pub(crate) test: Option<String>,
    pub(crate) is_ignored: bool,
}

/// How the tests of a search are run.
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
        let finished = match &item.test {
            Some(test) => process::run(executable, test, &self.variables, self.limits, stop),
            None => process::run_whole(executable, &self.harness.choice_with_ignored(), self.limits, stop),
        };
        Outcome::of(executable, name, finished)
    }
}

fn take(next: &Mutex<std::ops::Range<usize>>) -> Option<usize> {
    next.lock().unwrap_or_else(PoisonError::into_inner).next()
}
