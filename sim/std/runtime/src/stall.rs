//! Runs that reach their bound on steps: a deadlock beside a thread that never ends, or a test that is merely long.
//!
//! A thread that sleeps in a loop, or that polls a value, keeps a run alive although every other task waits forever. A
//! long test looks the same at first, so a run is suspect only under one of these conditions:
//!
//! - In its second half no task has changed anything: its tasks waited, slept, or looked at values.
//! - Its second half was spent on timers, at least one in [`STEPS_OF_A_TIMER`] steps, and throughout that half the main
//!   task, or a task that needs a lock, waited without a deadline. A task that joins one of the active tasks does not
//!   count: that task may end.
//!
//! A suspect run is a finding if runs that ended were far shorter. Otherwise it is repeated with
//! [`EXTENSION`] times the steps, and it is a finding if it does not end and is still suspect.

use lastref_kernel::record::{Keep, OpKind, TaskId};
use lastref_kernel::{LeftTask, Stall};

use crate::execute::RunResult;
use crate::finding::{Fact, Finding, FindingKind, place};
use crate::run::Run;
use crate::search::Search;
use crate::token::Token;

/// A timer loop wakes at least once in this many steps.
const STEPS_OF_A_TIMER: u32 = 256;
/// The factor by which the bound on steps is raised for the repetition of a suspect run. A run at its bound is a
/// finding without a repetition if its steps are this many times those of the longest run that ended.
const EXTENSION: u32 = 10;
/// A search repeats at most this many suspect runs.
const EXTENSIONS_MAX: u64 = 3;

/// A run that has reached its bound on steps.
pub(crate) struct Stalled {
    /// Why it looks stuck, if it does.
    pub(crate) suspicion: Option<&'static str>,
    /// Each task that has not ended, and its state.
    tasks: Vec<(String, String)>,
    /// The tasks that have waited for half of the run or longer.
    idle: Vec<String>,
}

impl Stalled {
    /// What the tasks do, on one line.
    pub(crate) fn told(&self) -> String {
        self.tasks.iter().map(|(name, state)| format!("{name}: {state}")).collect::<Vec<_>>().join("; ")
    }

    /// Adds the state of the tasks to the kernel's finding.
    pub(crate) fn add_to(&self, finding: &mut Finding) {
        if let Some(cause) = self.suspicion {
            if !self.idle.is_empty() {
                let verb = if self.idle.len() == 1 { "is" } else { "are" };
                finding.message += &format!("; {} {verb} blocked", self.idle.join(", "));
            }
            // The kernel guesses the cause and the place from the last operation alone.
            finding.facts.retain(|(label, _)| label != "usual cause" && label != "last at");
            finding.facts.push(("usual cause".to_owned(), Fact::Text(cause.to_owned())));
        }
        finding.facts.extend(self.tasks.iter().map(|(name, state)| (name.clone(), Fact::Text(state.clone()))));
    }
}

impl Run {
    /// The state of the run if it has reached its bound on steps. Called by host code before the log is finished.
    pub(crate) fn stalled(&self, steps_max: u32) -> Option<Stalled> {
        // Only the decision that ends such a run counts one more step.
        if self.kernel.log(|log| log.step) <= steps_max {
            return None;
        }
        let stall = self.kernel.stall();
        let half = steps_max / 2;
        let name = |task: &LeftTask| self.kernel.log(|log| log.task_name(task.task).to_owned());
        let state = |task: &LeftTask| {
            let state = match task.is_blocked {
                true => format!("{}, since step {}", task.does, task.ran),
                false => format!("active, last operation: {}", task.does),
            };
            match task.location.map(place).filter(|at| !at.is_empty()) {
                Some(at) => format!("{state}, at {at}"),
                None => state,
            }
        };
        let idle = stall.tasks.iter().filter(|task| task.is_blocked && task.ran <= half);
        Some(Stalled {
            suspicion: suspicion(&stall, half, steps_max),
            tasks: stall.tasks.iter().map(|task| (name(task), state(task))).collect(),
            idle: idle.map(name).collect(),
        })
    }
}

/// The runs of a search that reached their bound on steps without a finding.
#[derive(Default)]
pub(crate) struct Cut {
    runs: u64,
    /// What the tasks of the first of them did.
    tasks: String,
    /// The number of suspect runs that were repeated with a higher bound.
    extended: u64,
}

impl Cut {
    /// Why the test is skipped, if it is.
    pub(crate) fn told(&self, runs: u64, steps: u32) -> Option<String> {
        let which = match (self.runs, runs) {
            (0, _) => return None,
            (1, 1) => "the first run".to_owned(),
            (cut, runs) => format!("{cut} of {runs} runs"),
        };
        let tasks = &self.tasks;
        Some(format!(
            "step limit: {which} did not end within {steps} steps (--steps raises the limit); at its end {tasks}"
        ))
    }
}

impl Search {
    /// Judges a run of the search by its length. `None`: the run has reached its bound, but may be merely long.
    pub(crate) fn settle(&mut self, token: Token, made: RunResult) -> Option<(Token, RunResult)> {
        let is_stall = |made: &RunResult| made.finding.as_ref().is_some_and(|own| own.kind == FindingKind::Stall);
        if !is_stall(&made) || (self.steps_max > 0 && made.finished.steps / EXTENSION >= self.steps_max) {
            return Some((token, made));
        }
        let is_suspect = |made: &RunResult| made.stalled.as_ref().is_some_and(|stalled| stalled.suspicion.is_some());
        if is_suspect(&made) && self.cut.extended < EXTENSIONS_MAX {
            self.cut.extended += 1;
            let longer = Token { steps: token.steps.saturating_mul(EXTENSION), ..token.clone() };
            let longer_made = self.make_run(&longer, Keep::Hash, false);
            if is_stall(&longer_made) && is_suspect(&longer_made) {
                return Some((token, made));
            }
            if !is_stall(&longer_made) && (longer_made.finding.is_some() || longer_made.void.is_some()) {
                return Some((longer, longer_made));
            }
        }
        self.cut.runs += 1;
        if self.cut.runs == 1 {
            self.cut.tasks = made.stalled.map_or_else(String::new, |stalled| stalled.told());
        }
        None
    }
}

/// The reason why the run looks stuck, if it does.
fn suspicion(stall: &Stall, half: u32, steps_max: u32) -> Option<&'static str> {
    if stall.changed <= half && stall.polled > steps_max - steps_max / 8 {
        return Some("a loop that polls a value which no task changes");
    }
    let is_for_timers = stall.late_timers >= (steps_max - half) / STEPS_OF_A_TIMER;
    let is_stuck = |task: &LeftTask| {
        let is_of_lock = matches!(task.kind, Some(OpKind::Lock | OpKind::ReadLock | OpKind::WriteLock));
        is_idle(stall, task.task, half) && (task.task == TaskId::MAIN || is_of_lock)
    };
    let is_suspect = is_for_timers && stall.tasks.iter().any(is_stuck);
    is_suspect.then_some("a deadlock beside a task that sleeps in a loop")
}

/// Whether the task waits without a deadline since before this step, and not for the end of an active task.
fn is_idle(stall: &Stall, task: TaskId, half: u32) -> bool {
    let left = |task: TaskId| stall.tasks.iter().find(|left| left.task == task);
    let mut next = left(task);
    // Joins form no cycle of more tasks than there are.
    for _ in 0..=stall.tasks.len() {
        let Some(task) = next else { return false };
        if !task.is_blocked || task.ran > half {
            return false;
        }
        match task.joins {
            None => return true,
            Some(other) => next = left(other),
        }
    }
    true
}
