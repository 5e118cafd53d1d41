//! Runs loom in a separate process, so that its failure cannot take down the host.
//!
//! A host whose `main` calls [`serve_child`] first runs loom's cells in child processes: each prints its report on
//! stdout and exits without unwinding. In other hosts (a `Check` in a test) loom runs on an OS thread that is parked
//! for good after a finding.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kernel::record::Keep;
use serde::{Deserialize, Serialize};

use super::case::{Case, Limits};
use super::name::CaseName;
use super::origin::Origin;
use super::report::{Preemptions, Report, Verdict, words};
use crate::engine::loom;

/// The environment variable that marks a child process, and contains the cell to explore.
const VARIABLE: &str = "LASTREF_LOOM_CELL";

static SERVES: OnceLock<()> = OnceLock::new();

#[derive(Serialize, Deserialize)]
struct LoomJob {
    origin: Origin,
    budget: LoomBudget,
}

/// loom's budget of executions for one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoomBudget {
    /// Executions within the first bound on preemptions ([`Limits::PREEMPTIONS_FIRST`]); an exploration that needs more
    /// is cut short.
    pub executions: u64,
    /// The bound is raised while all executions together are fewer than this.
    pub raise: u64,
}

impl LoomBudget {
    /// The default of a search: loom proves something only when its exploration is complete, so the first bound gets
    /// as many executions as a small plan may need; the higher bounds get some seconds.
    pub const DEFAULT: LoomBudget = LoomBudget { executions: 200_000, raise: 2_000 };

    /// For a replay, which must reach every execution that a search can reach.
    pub(super) const UNBOUNDED: LoomBudget = LoomBudget { executions: u64::MAX, raise: 200_000 };

    /// At most this many executions in all.
    pub fn at_most(executions: u64) -> LoomBudget {
        LoomBudget { executions, raise: executions }
    }
}

/// Lets this program run loom's cells in child processes. In a process that is not such a child, returns at once; in a
/// child, runs its cell, prints the report, and exits. Call it first in `main`.
pub fn serve_child(find: impl Fn(&CaseName) -> Option<Case>) {
    // A host that has been registered stays registered; a second call changes nothing.
    let _ = SERVES.set(());
    let Some(errand) = variable() else { return };
    let Ok(errand) = serde_json::from_str::<LoomJob>(&errand) else {
        eprintln!("lastref: {VARIABLE} is set, and is for processes that lastref starts itself: unset it");
        std::process::exit(2);
    };
    end_with_parent();
    let report = find(&errand.origin.case)
        .map(|case| (case, errand))
        .map(|(case, errand)| in_process(&case, &errand.origin, errand.budget));
    // On a line of its own: the component may have printed something before it.
    let told = report.and_then(|report| serde_json::to_string(&report).ok()).map(|report| format!("\n{report}"));
    let mut out = std::io::stdout().lock();
    let written = told.is_some_and(|told| out.write_all(told.as_bytes()).and_then(|()| out.flush()).is_ok());
    std::process::exit(if written { 0 } else { 101 });
}

#[expect(clippy::disallowed_methods, reason = "how a child learns its errand; a run itself does not see it")]
fn variable() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Explores the case's small plan. If loom has its own process, `over` is called periodically to ask whether to stop.
pub(super) fn explore_loom(case: &Case, origin: &Origin, budget: LoomBudget, over: &dyn Fn() -> bool) -> Report {
    if SERVES.get().is_none() {
        return in_process(case, origin, budget);
    }
    match start(&LoomJob { origin: origin.clone(), budget }) {
        Ok(child) => wait(child, over),
        Err(error) => broken(format!("loom's process could not be started: {error}")),
    }
}

fn start(errand: &LoomJob) -> std::io::Result<Child> {
    let errand = serde_json::to_string(errand).map_err(std::io::Error::other)?;
    let mut command = Command::new(own_program()?);
    command.env(VARIABLE, errand).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Ctrl-C goes to the whole process group of a terminal. It is for this process, which then ends the child; a child
    // that ended first would look like a failure of the harness.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn()
}

/// Ends this child when its parent ends in any way, which closes the pipe to it. The parent writes nothing.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(101);
    });
}

/// The program of this process. A rebuild may replace its file during a long search. The path would then name the new
/// program or no file; Linux's link names the running program.
fn own_program() -> std::io::Result<PathBuf> {
    const LINK: &str = "/proc/self/exe";
    if cfg!(target_os = "linux") && Path::new(LINK).exists() {
        Ok(PathBuf::from(LINK))
    } else {
        std::env::current_exe()
    }
}

fn wait(mut child: Child, over: &dyn Fn() -> bool) -> Report {
    let (sender, receiver) = channel();
    let errors = child.stderr.take().map(|stderr| std::thread::spawn(move || last_bytes(stderr)));
    if let Some(mut stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut told = Vec::new();
            // The output before a broken pipe is valid if it is complete.
            let _ = stdout.read_to_end(&mut told);
            let _ = sender.send(told);
        });
    }
    let told = loop {
        match receiver.recv_timeout(Duration::from_millis(50)) {
            Ok(told) => break told,
            Err(RecvTimeoutError::Disconnected) => break Vec::new(),
            Err(RecvTimeoutError::Timeout) if over() => {
                // Killing a child that has just ended fails, which does no harm.
                let _ = child.kill();
                let _ = child.wait();
                return Report::empty();
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    let status = child.wait();
    let last_line = told.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    match serde_json::from_slice(last_line) {
        Ok(report) => report,
        Err(_) => {
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            let errors = errors.and_then(|errors| errors.join().ok()).unwrap_or_default();
            let separator = if errors.is_empty() { "" } else { "; it wrote: " };
            broken(format!("loom's process ended without a report: {status}{separator}{}", errors.trim()))
        }
    }
}

/// The end of what the child writes to stderr: why it hangs, or whose stack overflowed.
fn last_bytes(mut stderr: impl Read) -> String {
    const BYTES: usize = 4_096;
    let (mut last, mut chunk) = (Vec::new(), [0; BYTES]);
    while let Ok(count @ 1..) = stderr.read(&mut chunk) {
        last.extend_from_slice(&chunk[..count]);
        last.drain(..last.len().saturating_sub(BYTES));
    }
    String::from_utf8_lossy(&last).into_owned()
}

fn broken(message: String) -> Report {
    Report { verdict: Verdict::Broken { message }, ..Report::empty() }
}

/// Explores within the first bound on preemptions, then within higher ones while the budget lasts. When one more
/// preemption adds no execution, the next exploration has no bound.
fn in_process(case: &Case, origin: &Origin, budget: LoomBudget) -> Report {
    let limits = case.bounds();
    let Some(plan) = case.small_plan().cloned() else {
        let message = format!("{} has no plan small enough for loom: search it under fiber", case.name());
        return Report { verdict: Verdict::Misused { message }, ..Report::empty() };
    };
    let most = limits.preemptions_max;
    let first = Limits::PREEMPTIONS_FIRST;
    let mut bound = Some(most.map_or(first, |most| most.min(first)));
    let mut report = Report::empty();
    let mut before = 0;
    loop {
        let all = if report.complete { budget.raise } else { budget.executions };
        let explored = loom::explore(loom::Setup {
            seed: origin.seed,
            keep: Keep::Events,
            watched: case.watched().clone(),
            preemptions_max: bound,
            branches_max: limits.branches_max,
            executions_max: all.saturating_sub(report.schedules),
            body: Arc::new(case.body(plan.clone())),
        });
        report.schedules += explored.executions;
        report.steps += explored.steps;
        report.trace_hash = explored.outcome.as_ref().map_or(explored.hash, |outcome| outcome.trace.hash());
        for (sentence, runs) in words(&explored.reached) {
            *report.reached.entry(sentence).or_insert(0) += runs;
        }
        if let Some(outcome) = &explored.outcome {
            report.verdict = Verdict::of(origin.clone(), outcome);
            return report;
        }
        if !explored.complete {
            return report;
        }
        report.complete = true;
        report.preemptions = Some(bound.map_or(Preemptions::Unbounded, Preemptions::AtMost));
        let next = match bound {
            Some(bound) if Some(bound) != most && report.schedules < budget.raise => bound.checked_add(1),
            _ => return report,
        };
        bound = next.filter(|_| most.is_some() || explored.executions != before);
        before = explored.executions;
    }
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Just;

    use super::*;
    use crate::strategy::StrategyName;
    use crate::sync::Arc;
    use crate::sync::atomic::{AtomicUsize, Ordering};

    /// The first exploration uses up `raise` exactly: no second one starts, and the report is that of the first.
    #[test]
    fn an_exploration_that_uses_up_the_budget_exactly_is_the_last() {
        let name =
            CaseName { component: "test".to_owned(), scenario: "budget".to_owned(), variant: "fixed".to_owned() };
        let case = Case::new(
            name.clone(),
            || Just(()),
            |()| {
                let count = Arc::new(AtomicUsize::new(0));
                let own = Arc::clone(&count);
                let task = crate::thread::spawn(move || _ = own.fetch_add(1, Ordering::SeqCst));
                count.fetch_add(1, Ordering::SeqCst);
                task.join();
            },
        );
        let case = case.small(());
        let origin = Origin { case: name, engine: crate::Engine::Loom, strategy: StrategyName::RANDOM, seed: 1 };
        let within = |raise| in_process(&case, &origin, LoomBudget { executions: 1_000, raise });
        let first = within(1);
        let exact = within(first.schedules);
        assert!(first.complete && first.schedules > 1, "{first:?}");
        assert_eq!((exact.schedules, exact.preemptions), (first.schedules, first.preemptions));
        assert_eq!(exact.trace_hash, first.trace_hash);
    }

    #[test]
    fn a_case_without_a_small_plan_is_a_misuse() {
        let name = CaseName { component: "test".to_owned(), scenario: "large".to_owned(), variant: "fixed".to_owned() };
        let case = Case::new(name.clone(), || Just(()), |()| ());
        let origin = Origin { case: name, engine: crate::Engine::Loom, strategy: StrategyName::RANDOM, seed: 1 };
        let report = in_process(&case, &origin, LoomBudget::DEFAULT);
        assert!(matches!(&report.verdict, Verdict::Misused { message } if message.contains("fiber")), "{report:?}");
    }

    /// The test's own program stands in for a child that died: it refuses the flag and says so on stderr.
    #[test]
    fn a_child_without_a_report_is_a_fault_of_the_harness_and_its_last_words_are_kept() -> std::io::Result<()> {
        let mut other = Command::new(std::env::current_exe()?);
        other.arg("--no-such-flag").stdout(Stdio::piped()).stderr(Stdio::piped());
        let report = wait(other.spawn()?, &|| false);
        let Verdict::Broken { message } = &report.verdict else { panic!("{report:?}") };
        assert!(message.contains("; it wrote: ") && message.contains("no-such-flag"), "{message}");
        assert!(report.failure().is_none() && report.schedules == 0 && !report.complete);
        Ok(())
    }
}
