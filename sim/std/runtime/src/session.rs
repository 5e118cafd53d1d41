//! Access to the run for the files that the runtime shares with the package `lastref`: the ledger of custody, the named
//! properties, draws, and `simulate`.
//!
//! These files are compiled a second time, as part of the runtime, so that they share the state of the run whose kernel
//! schedules the tasks: one ledger, one trace. Under the stand-in, the package `lastref` re-exports them. Each function
//! here has the same name and meaning as in the package's own `session`.

use std::collections::BTreeMap;

use lastref_kernel::faults::FaultPlan;
use lastref_kernel::record::{Log, RunNumber, Violation};

use crate::Network;
use crate::finding::Finding;
use crate::ledger::book::Ledger;
use crate::property::Properties;
use crate::run::{self, current};

/// The state of a run's checks that is not in its log.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    pub(crate) ledger: Ledger,
    pub(crate) properties: Properties,
    /// The sentences of `sometimes` that were false when the run evaluated them.
    asked: Vec<&'static str>,
    /// The network faults that the body passed to `simulate`; `None` before that call.
    faults: Option<FaultPlan>,
}

/// The results of a run so far.
pub(crate) struct Run<'a> {
    pub(crate) log: &'a mut Log,
    pub(crate) checks: &'a mut Checks,
}

/// Calls `f` with the results of the run so far, as host code; `None` outside any run.
pub(crate) fn with_run<R>(f: impl FnOnce(Run<'_>) -> R) -> Option<R> {
    let run = current()?;
    Some(run.host(|| {
        let mut checks = run.checks.borrow_mut();
        run.kernel.log(|log| f(Run { log, checks: &mut checks }))
    }))
}

/// Like [`with_run`], with the log only.
pub(crate) fn with_log<R>(f: impl FnOnce(&mut Log) -> R) -> Option<R> {
    with_run(|run| f(run.log))
}

/// The number of the run whose task executes this code.
pub(crate) fn number() -> RunNumber {
    with_log(|log| log.number()).unwrap_or(RunNumber::NONE)
}

/// Ends the run with this finding. In a task of a run it does not return, except while a panic already unwinds the
/// task: then the panic continues and the first finding stands.
pub(crate) fn fail(violation: Violation) {
    let Some(run) = current() else { return };
    run.host(|| {
        // A copy in host memory: the run's own memory is released before the finding is read.
        run.note(Finding::of(violation.clone()).stack("the violation", run.stack()));
        if !std::thread::panicking() {
            run.kernel.stop_here();
        }
    });
}

/// Notes a `sometimes` that was not true.
pub(crate) fn note_unreached(sentence: &'static str) {
    with_run(|run| {
        if !run.checks.asked.contains(&sentence) {
            run.checks.asked.push(sentence);
        }
    });
}

/// Notes the network that the body passed to `simulate`. Its faults are drawn from the next run on.
///
/// # Panics
/// If the body has passed another network in this run: a run's faults are drawn before it begins, from one plan.
#[track_caller]
pub(crate) fn is_meant_for(network: &Network) {
    let is_one = with_run(|run| *run.checks.faults.get_or_insert_with(|| network.faults.clone()) == network.faults);
    // Asserted outside the closure: the closure borrows the run, and the panic hook reads the run.
    assert!(is_one != Some(false), "`simulate` was called with two different networks in one run");
}

impl run::Run {
    /// The first rule that does not hold at the end of a run in which every task has ended. Called by host code.
    pub(crate) fn judge_custody(&self) -> Option<Finding> {
        let checks = self.checks.borrow();
        let left = self.kernel.log(|log| checks.ledger.at_quiescence(&log.tasks));
        left.or_else(|| checks.properties.at_quiescence()).map(Finding::of)
    }
}

/// The results of the checks of a run, for its search.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The sentences of `sometimes`, and whether the run reached each.
    pub(crate) sometimes: BTreeMap<&'static str, bool>,
    /// The faults that the body passed to `simulate`.
    pub(crate) faults: FaultPlan,
}

impl Checks {
    /// The results of the run. The checks are empty afterwards, for the next run.
    pub(crate) fn finish(&mut self) -> Checked {
        let Checks { properties, asked, faults, .. } = std::mem::take(self);
        let mut sometimes: BTreeMap<&'static str, bool> = asked.into_iter().map(|sentence| (sentence, false)).collect();
        sometimes.extend(properties.reached().into_keys().map(|sentence| (sentence, true)));
        Checked { sometimes, faults: faults.unwrap_or_default() }
    }
}
