//! loom in a process of its own, where it cannot take anything else down.
//!
//! A host whose `main` calls [`serve_child`] first runs loom's cells in children of itself: each tells its report on
//! stdout and exits without unwinding anything. In other hosts (a test of the reader's own) loom runs on an OS thread
//! that is parked for good after a finding.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::case::{Case, CaseName};
use super::report::{Failure, Origin, Report, Verdict};
use super::single::words;
use crate::engine::loom;
use crate::run::Record;

/// Tells a process that it is a child, and of which cell.
const VARIABLE: &str = "LASTREF_LOOM_CELL";

static SERVES: OnceLock<()> = OnceLock::new();

#[derive(Serialize, Deserialize)]
struct Errand {
    origin: Origin,
    executions: u64,
}

/// Lets this program run loom's cells in children of itself. Returns at once in a process that is no such child; in
/// one that is, runs its cell, tells the report, and exits. Call it first in `main`.
pub fn serve_child(find: impl Fn(&CaseName) -> Option<Case>) {
    // A host that has answered once is known to; a second call changes nothing.
    let _ = SERVES.set(());
    let Some(errand) = variable() else { return };
    let report = serde_json::from_str::<Errand>(&errand)
        .ok()
        .and_then(|errand| Some((find(&errand.origin.case)?, errand)))
        .map(|(case, errand)| in_process(&case, &errand.origin, errand.executions));
    let told = report.and_then(|report| serde_json::to_vec(&report).ok());
    let mut out = std::io::stdout().lock();
    let written = told.is_some_and(|told| out.write_all(&told).and_then(|()| out.flush()).is_ok());
    std::process::exit(if written { 0 } else { 101 });
}

#[expect(clippy::disallowed_methods, reason = "how a child is told its errand; a run itself does not see it")]
fn variable() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Explores the case's small plan. `over` is asked now and then whether to stop, where loom has its own process.
pub(super) fn explore_loom(case: &Case, origin: &Origin, executions: u64, over: &dyn Fn() -> bool) -> Report {
    if SERVES.get().is_none() {
        return in_process(case, origin, executions);
    }
    match start(&Errand { origin: origin.clone(), executions }) {
        Ok(child) => wait(child, over),
        Err(error) => broken(format!("loom's process could not be started: {error}")),
    }
}

fn start(errand: &Errand) -> std::io::Result<Child> {
    let errand = serde_json::to_string(errand).map_err(std::io::Error::other)?;
    Command::new(std::env::current_exe()?)
        .env(VARIABLE, errand)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

fn wait(mut child: Child, over: &dyn Fn() -> bool) -> Report {
    let (sender, receiver) = channel();
    if let Some(mut stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut told = Vec::new();
            // What was told before a broken pipe is judged by whether it is whole.
            let _ = stdout.read_to_end(&mut told);
            let _ = sender.send(told);
        });
    }
    let told = loop {
        match receiver.recv_timeout(Duration::from_millis(50)) {
            Ok(told) => break told,
            Err(RecvTimeoutError::Disconnected) => break Vec::new(),
            Err(RecvTimeoutError::Timeout) if over() => {
                // Killing one that has just ended fails, and that is as good.
                let _ = child.kill();
                let _ = child.wait();
                return unfinished();
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    let status = child.wait();
    match serde_json::from_slice(&told) {
        Ok(report) => report,
        // Ctrl-C reaches the child too.
        Err(_) if over() => unfinished(),
        Err(_) => {
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            broken(format!("loom's process ended without a report: {status}"))
        }
    }
}

/// The exploration was cut short, and nothing is known of how far it came.
fn unfinished() -> Report {
    Report {
        schedules: 0,
        steps: 0,
        verdict: Verdict::Clean,
        trace_hash: 0,
        complete: false,
        reached: Default::default(),
        faults: Default::default(),
        rechecked: 0,
        seconds: 0.0,
        table: String::new(),
        full_table: String::new(),
    }
}

fn broken(message: String) -> Report {
    Report { verdict: Verdict::Broken { message }, ..unfinished() }
}

fn in_process(case: &Case, origin: &Origin, executions: u64) -> Report {
    let limits = case.bounds();
    let Some(plan) = case.small_plan().cloned() else {
        return broken(format!("{} has no plan small enough for loom", case.name()));
    };
    let explored = loom::explore(loom::Setup {
        seed: origin.seed,
        record: Record::Events,
        preemptions_max: limits.preemptions_max,
        branches_max: limits.branches_max,
        executions_max: executions,
        body: case.body(plan),
    });
    let failure = explored.outcome.as_ref().and_then(|outcome| Failure::new(origin.clone(), outcome));
    Report {
        schedules: explored.executions,
        steps: explored.steps,
        trace_hash: explored.outcome.as_ref().map_or(explored.hash, |outcome| outcome.trace.hash()),
        verdict: failure.map_or(Verdict::Clean, |failure| Verdict::Violation(Box::new(failure))),
        complete: explored.complete,
        reached: words(&explored.reached),
        faults: Default::default(),
        rechecked: 0,
        seconds: 0.0,
        table: String::new(),
        full_table: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    /// The test's own program stands for a child that died: it says something else.
    fn a_child_without_a_report_is_a_fault_of_the_harness_and_no_finding() -> std::io::Result<()> {
        let other = Command::new(std::env::current_exe()?).arg("--list").stdout(Stdio::piped()).spawn()?;
        let report = wait(other, &|| false);
        assert!(matches!(report.verdict, Verdict::Broken { .. }), "{report:?}");
        assert!(report.failure().is_none() && report.schedules == 0 && !report.complete);
        Ok(())
    }
}
