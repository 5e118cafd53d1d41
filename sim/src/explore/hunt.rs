//! A hunt: many cells, many seeds, several cores, one result.
//!
//! Runs are handed out in chunks; [`queue`] chooses the cell. A cell's result is its finding with the lowest run
//! number, on whichever core it was found; so neither verdicts nor counts depend on the number of jobs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use kernel::record::Violation;

use super::cell::Cell;
use super::chunk::{self, ChunkResult, Found};
use super::clock::{now, timed};
use super::isolate::{self, LoomBudget};
use super::observer::Observer;
use super::origin::Origin;
use super::queue::{self, CellState, Work};
use super::recheck::USUAL_CAUSES;
use super::report::{Failure, Replay, Report, Verdict};
use super::single::run_one;
use crate::replay::Token;
use crate::unpoisoned::{clean, locked};
use crate::watch::Listening;

/// The cells to explore, and the bounds.
pub struct Hunt<'a> {
    /// The cells; reports come in the same order.
    pub cells: Vec<Cell>,
    /// The seed from which each run's own seed is derived.
    pub seed: u64,
    /// Loom's budget for a cell, in place of the cell's own budget.
    pub loom: LoomBudget,
    /// Percentage of the runs under the scheduled engines that are repeated to check determinism.
    pub recheck_percent: u8,
    /// The deadline for handing out runs.
    pub deadline: Option<Instant>,
    /// The number of OS threads; at least one is used.
    pub jobs: usize,
    /// Set from outside to stop: the reports then cover the runs so far.
    pub stop: &'a AtomicBool,
    /// The observer of its progress.
    pub observer: &'a dyn Observer,
}

impl std::fmt::Debug for Hunt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hunt").field("cells", &self.cells.len()).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// The state of a cell from which its report is made.
struct Closing {
    whole: ChunkResult,
    started: Option<Instant>,
}

impl Hunt<'_> {
    /// Explores every cell. One report per cell, in order.
    pub fn run(&self) -> Vec<Report> {
        let states: Vec<CellState> = self.cells.iter().map(|_| CellState::new()).collect();
        let states = Mutex::new(states);
        let listening = Listening::of_this_thread();
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    listening.clone().take_over();
                    loop {
                        // A separate statement, so that the lock is not held during the work.
                        let work = self.take(&mut locked(&states));
                        let Some(work) = work else { break };
                        self.make(&work, &states);
                    }
                });
            }
        });
        let states = clean(states.into_inner());
        states
            .into_iter()
            .enumerate()
            .map(|(cell, state)| match state.report {
                Some(report) => report,
                None => self.close(cell, Closing { whole: state.whole, started: state.started }),
            })
            .collect()
    }

    fn over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| now() >= deadline)
    }

    fn take(&self, states: &mut [CellState]) -> Option<Work> {
        if self.over() {
            return None;
        }
        let work = queue::take(&self.cells, states, self.deadline.is_some())?;
        states[work.cell].started.get_or_insert_with(now);
        Some(work)
    }

    fn make(&self, work: &Work, states: &Mutex<Vec<CellState>>) {
        let cell = &self.cells[work.cell];
        if !cell.engine.is_built() {
            let report = Report::not_built(cell.engine);
            self.observer.finished(work.cell, &report);
            locked(states)[work.cell].report = Some(report);
            return;
        }
        if cell.engine.is_exhaustive() {
            self.make_loom(work.cell, states);
            return;
        }
        let runs = work.from..work.to;
        let (part, seconds) = timed(|| match cell.engine {
            engine if engine.is_scheduled() => chunk::scheduled(cell, self.seed, runs, self.recheck_percent),
            _ => chunk::on_threads(cell, self.seed, runs, || self.over()),
        });
        self.observer.progress(work.cell, part.runs, seconds);
        let mut guard = locked(states);
        let state = &mut guard[work.cell];
        if state.done(cell, work, part) {
            let closing = Closing { whole: std::mem::take(&mut state.whole), started: state.started };
            drop(guard);
            // The violating run is repeated outside the lock.
            let report = self.close(work.cell, closing);
            self.observer.finished(work.cell, &report);
            locked(states)[work.cell].report = Some(report);
        }
    }

    fn make_loom(&self, index: usize, states: &Mutex<Vec<CellState>>) {
        let cell = &self.cells[index];
        let origin = self.origin(cell, 0);
        let explore = || isolate::explore_loom(&cell.case, &origin, self.loom, &|| self.over());
        let (report, seconds) = timed(explore);
        let report = Report { seconds, ..report };
        // An exploration that was cut short has no executions, and its cell stays open.
        let is_open = report.schedules == 0 && matches!(report.verdict, Verdict::Clean);
        if !is_open {
            self.observer.progress(index, report.schedules, seconds);
            self.observer.finished(index, &report);
        }
        locked(states)[index].report = Some(report);
    }

    fn origin(&self, cell: &Cell, index: u64) -> Origin {
        let seed = cell.seeds(self.seed).of_run(index);
        Origin { case: cell.case.name().clone(), engine: cell.engine, strategy: cell.strategy, seed }
    }

    /// Reports a cell, and repeats the run of its finding for its table.
    fn close(&self, cell: usize, closing: Closing) -> Report {
        let Closing { whole, started } = closing;
        let cell = &self.cells[cell];
        // A search without runs has checked nothing, whatever its budget.
        let complete = whole.found.is_some() || whole.runs >= cell.budget.enough.max(1);
        let (trace_hash, verdict) = match &whole.found {
            None => (whole.hash, Verdict::Clean),
            Some(Found::Diverged { message }) => (whole.hash, Verdict::Diverged { message: message.clone() }),
            Some(Found::Void { index, void }) => (whole.hash, Verdict::of_void(&self.origin(cell, *index), void)),
            Some(Found::Violation { index, violation, hash }) => (*hash, self.verdict(cell, *index, violation, *hash)),
        };
        let seconds = started.map_or(0.0, |started| started.elapsed().as_secs_f64());
        Report {
            schedules: whole.runs,
            rechecked: whole.rechecked,
            steps: whole.steps,
            verdict,
            trace_hash,
            complete,
            reached: whole.reached,
            faults: whole.faults,
            seconds,
            ..Report::empty()
        }
    }

    fn verdict(&self, cell: &Cell, index: u64, violation: &Violation, hash: u64) -> Verdict {
        let origin = self.origin(cell, index);
        if !cell.engine.replays() {
            // Real threads have no second run to record.
            let replay = Replay::Token(Token::new(origin.clone()));
            return Verdict::Violation(Box::new(Failure {
                violation: violation.clone(),
                origin,
                step: 0,
                schedule: None,
                trace_hash: hash,
                table: String::new(),
                full_table: String::new(),
                replay,
            }));
        }
        let again = run_one(&cell.case, cell.engine, cell.strategy, origin.seed);
        match again.verdict {
            Verdict::Violation(failure) if again.trace_hash == hash => Verdict::Violation(failure),
            _ => Verdict::Diverged {
                message: format!(
                    "run {} of {} (seed {:#x}) had trace {:#018x} first and {:#018x} when repeated; {USUAL_CAUSES}",
                    index + 1,
                    cell.case.name(),
                    origin.seed,
                    hash,
                    again.trace_hash
                ),
            },
        }
    }
}
