//! A hunt: many cells, many seeds, several cores, one result.
//!
//! Runs are handed out in chunks, to the cell that has had the fewest so far, so that a hunt that is cut short has given
//! each cell its share. A cell ends at its finding of the lowest number, whichever core came upon one first; so neither
//! the verdicts nor the counts depend on the number of jobs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::case::Case;
use super::isolate::{self, LoomBudget};
use super::recheck::{self, Made};
use super::report::{Failure, Origin, Report, Verdict};
use super::single::{build, run_one, words};
use crate::engine::sched::{Ended, Setup, Source, run_batch};
use crate::engine::{Engine, threads};
use crate::net::{HitCounts, add_hits};
use crate::plan::Generator;
use crate::run::{Outcome, Record};
use crate::seed::{fold, run_seed};
use crate::strategy::StrategyName;
use crate::violation::Violation;
use crate::void::Void;
use crate::watch::Listening;

/// Runs per chunk: long enough to share a pool of stacks, short enough to stop within a blink.
const CHUNK: u64 = 32;

/// One line of a hunt's table.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What is explored.
    pub case: Case,
    /// Under which engine.
    pub engine: Engine,
    /// By which strategy.
    pub strategy: StrategyName,
}

/// Is told how a hunt goes, from any of its threads.
pub trait Observer: Sync {
    /// `schedules` more runs of cell number `cell` are done.
    fn progress(&self, cell: usize, schedules: u64);
    /// Cell number `cell` has ended.
    fn finished(&self, cell: usize, report: &Report);
}

/// An observer that says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Quiet;

impl Observer for Quiet {
    fn progress(&self, _: usize, _: u64) {}

    fn finished(&self, _: usize, _: &Report) {}
}

/// What to explore, and within which bounds.
pub struct Hunt<'a> {
    /// The cells; reports come in the same order.
    pub cells: Vec<Cell>,
    /// From which every run's own seed derives.
    pub seed: u64,
    /// Most runs per cell, under shuttle and threads.
    pub schedules: u64,
    /// What loom may spend on a cell.
    pub loom: LoomBudget,
    /// Of a hundred runs under the scheduled engine, how many are made again, to see whether they go the same way.
    pub recheck_percent: u8,
    /// When to stop handing out runs.
    pub deadline: Option<Instant>,
    /// How many OS threads; at least one is used.
    pub jobs: usize,
    /// Set from outside to stop: the reports are those so far.
    pub stop: &'a AtomicBool,
    /// Who is told.
    pub observer: &'a dyn Observer,
}

impl std::fmt::Debug for Hunt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hunt").field("cells", &self.cells.len()).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// The run at which a cell ends.
enum Found {
    /// It violates a property: as the hunt saw it, before it is made again for its table.
    Violation { index: u64, violation: Violation, hash: u64 },
    /// It tells nothing about the component.
    Void { index: u64, void: Void },
    /// It went another way when it was made again.
    Diverged { message: String },
}

#[derive(Default)]
struct Part {
    runs: u64,
    rechecked: u64,
    steps: u64,
    hash: u64,
    reached: BTreeMap<String, u64>,
    faults: HitCounts,
    found: Option<Found>,
    /// The runs that are to be made again.
    made: Vec<Made>,
}

impl Part {
    fn add(&mut self, index: u64, seed: u64, outcome: Outcome, recheck_percent: u8) {
        if recheck::is_chosen(seed, recheck_percent) {
            self.made.push(Made::new(index, seed, &outcome));
        }
        self.runs += 1;
        self.steps += u64::from(outcome.steps);
        let hash = outcome.trace.hash();
        // A sum, so that parts add up to the same whichever core made them; the seed keeps equal runs apart.
        self.hash = self.hash.wrapping_add(fold(seed, hash));
        for (sentence, count) in words(&outcome.reached) {
            *self.reached.entry(sentence).or_insert(0) += count;
        }
        outcome.faults.count(&mut self.faults);
        if let Some(void) = outcome.void {
            self.found = Some(Found::Void { index, void });
        } else if let Some(violation) = outcome.violation {
            self.found = Some(Found::Violation { index, violation, hash });
        }
    }

    /// Makes the chosen runs again. `seeds` gives those of the chunk up to and with a run's.
    fn recheck(&mut self, cell: &Cell, seeds: impl Fn(u64) -> Vec<u64>) {
        let made = std::mem::take(&mut self.made);
        self.rechecked = made.len() as u64;
        if let Some(message) = recheck::first_that_differs(cell, &made, seeds) {
            self.found = Some(Found::Diverged { message });
        }
    }

    fn absorb(&mut self, later: Part) {
        self.runs += later.runs;
        self.rechecked += later.rechecked;
        self.steps += later.steps;
        self.hash = self.hash.wrapping_add(later.hash);
        for (sentence, count) in later.reached {
            *self.reached.entry(sentence).or_insert(0) += count;
        }
        add_hits(&mut self.faults, later.faults);
        self.found = later.found;
    }
}

struct CellState {
    next: u64,
    /// The first run of the lowest chunk with a finding: nothing after it is handed out.
    bound: u64,
    out: usize,
    parts: BTreeMap<u64, Part>,
    report: Option<Report>,
    started: Option<Instant>,
}

/// What of a cell's state its report is made from.
struct Closing {
    parts: BTreeMap<u64, Part>,
    started: Option<Instant>,
}

struct Work {
    cell: usize,
    from: u64,
    to: u64,
}

impl Hunt<'_> {
    /// Explores every cell. One report per cell, in order.
    pub fn run(&self) -> Vec<Report> {
        let states: Vec<CellState> = self
            .cells
            .iter()
            .map(|_| CellState {
                next: 0,
                bound: u64::MAX,
                out: 0,
                parts: BTreeMap::new(),
                report: None,
                started: None,
            })
            .collect();
        let states = Mutex::new(states);
        let listening = Listening::of_this_thread();
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    listening.clone().take_over();
                    loop {
                        // In a statement of its own, so that the lock is not held while the work is done.
                        let work = self.take(&mut lock(&states));
                        let Some(work) = work else { break };
                        self.make(&work, &states);
                    }
                });
            }
        });
        let states = states.into_inner().unwrap_or_else(PoisonError::into_inner);
        states
            .into_iter()
            .enumerate()
            .map(|(cell, state)| match state.report {
                Some(report) => report,
                None => self.close(cell, Closing { parts: state.parts, started: state.started }),
            })
            .collect()
    }

    fn over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| now() >= deadline)
    }

    /// The next chunk: of the cell that has had the fewest runs. loom's cells, each one long piece, come once every other
    /// has had a chunk: a hunt that is soon over has then looked at everything that can be looked at in parts.
    fn take(&self, states: &mut [CellState]) -> Option<Work> {
        if self.over() {
            return None;
        }
        let open = |(cell, state): &(usize, &CellState)| state.next < self.budget(*cell).min(state.bound);
        let (cell, _) = states
            .iter()
            .enumerate()
            .filter(open)
            .min_by_key(|(cell, state)| (state.next, self.cells[*cell].engine == Engine::Loom, *cell))?;
        let state = &mut states[cell];
        let from = state.next;
        let to = if self.cells[cell].engine == Engine::Loom { u64::MAX } else { (from + CHUNK).min(self.budget(cell)) };
        state.next = to;
        state.out += 1;
        state.started.get_or_insert_with(now);
        Some(Work { cell, from, to })
    }

    fn budget(&self, cell: usize) -> u64 {
        if self.cells[cell].engine == Engine::Loom { u64::MAX } else { self.schedules }
    }

    fn make(&self, work: &Work, states: &Mutex<Vec<CellState>>) {
        let cell = &self.cells[work.cell];
        if cell.engine == Engine::Loom {
            let origin = self.origin(cell, 0);
            let (report, seconds) = timed(|| isolate::explore_loom(&cell.case, &origin, self.loom, &|| self.over()));
            let report = Report { seconds, ..report };
            self.observer.progress(work.cell, report.schedules);
            self.observer.finished(work.cell, &report);
            lock(states)[work.cell].report = Some(report);
            return;
        }
        let part = match cell.engine {
            Engine::Shuttle | Engine::Turmoil => chunk(self, cell, work.from, work.to),
            _ => threads_chunk(self, cell, work.from, work.to),
        };
        self.observer.progress(work.cell, part.runs);
        let mut guard = lock(states);
        let state = &mut guard[work.cell];
        if part.found.is_some() {
            state.bound = state.bound.min(work.from);
        }
        state.parts.insert(work.from, part);
        state.out -= 1;
        if state.out == 0 && state.next >= self.budget(work.cell).min(state.bound) {
            let closing = Closing { parts: std::mem::take(&mut state.parts), started: state.started };
            drop(guard);
            // The table is drawn outside the lock: it takes a run or two.
            let report = self.close(work.cell, closing);
            self.observer.finished(work.cell, &report);
            lock(states)[work.cell].report = Some(report);
        }
    }

    fn origin(&self, cell: &Cell, index: u64) -> Origin {
        let seed = run_seed(self.seed, &cell_key(cell), index);
        Origin { case: cell.case.name().clone(), engine: cell.engine, strategy: cell.strategy, seed }
    }

    /// Adds the parts up, to the first finding if there is one, and makes that run again for its table.
    fn close(&self, cell: usize, closing: Closing) -> Report {
        let mut whole = Part::default();
        for (_, part) in closing.parts {
            whole.absorb(part);
            if whole.found.is_some() {
                break;
            }
        }
        let cell = &self.cells[cell];
        let complete = whole.found.is_some() || whole.runs >= self.schedules;
        let (trace_hash, verdict) = match &whole.found {
            None => (whole.hash, Verdict::Clean),
            Some(Found::Diverged { message }) => (whole.hash, Verdict::Diverged { message: message.clone() }),
            Some(Found::Void { index, void }) => (whole.hash, Verdict::of_void(&self.origin(cell, *index), void)),
            Some(Found::Violation { index, violation, hash }) => (*hash, self.verdict(cell, *index, violation, *hash)),
        };
        let seconds = closing.started.map_or(0.0, |started| started.elapsed().as_secs_f64());
        Report {
            schedules: whole.runs,
            preemptions: None,
            rechecked: whole.rechecked,
            steps: whole.steps,
            verdict,
            trace_hash,
            complete,
            reached: whole.reached,
            faults: whole.faults,
            seconds,
            table: String::new(),
            full_table: String::new(),
        }
    }

    fn verdict(&self, cell: &Cell, index: u64, violation: &Violation, hash: u64) -> Verdict {
        let origin = self.origin(cell, index);
        if cell.engine == Engine::Threads {
            let replay = format!("lastref replay {}", crate::replay::Token::new(origin.clone()));
            return Verdict::Violation(Box::new(Failure {
                kind: violation.kind,
                property: violation.property.clone(),
                message: violation.message.clone(),
                facts: violation.facts.clone(),
                replay,
                shrink: String::new(),
                origin,
                step: 0,
                schedule: None,
                trace_hash: hash,
                table: String::new(),
                full_table: String::new(),
            }));
        }
        let again = run_one(&cell.case, cell.engine, cell.strategy, origin.seed);
        match again.verdict {
            Verdict::Violation(failure) if again.trace_hash == hash => Verdict::Violation(failure),
            _ => Verdict::Diverged {
                message: format!(
                    "run {} of {} (seed {:#x}) had trace {:#018x} first and {:#018x} when made again",
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

fn cell_key(cell: &Cell) -> String {
    format!("{}/{}/{}", cell.case.name(), cell.engine, cell.strategy)
}

fn lock(states: &Mutex<Vec<CellState>>) -> MutexGuard<'_, Vec<CellState>> {
    states.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The chunk of runs `from..to`, up to its first finding.
fn chunk(hunt: &Hunt<'_>, cell: &Cell, from: u64, to: u64) -> Part {
    let part = Rc::new(RefCell::new(Part::default()));
    let chunk = Chunk {
        case: cell.case.clone(),
        strategy: cell.strategy,
        hunt: hunt.seed,
        key: cell_key(cell),
        next: from,
        to,
        seed: 0,
        generator: cell.case.generator(),
        recheck_percent: hunt.recheck_percent,
        part: Rc::clone(&part),
    };
    run_batch(Box::new(chunk), cell.case.bounds().stack_bytes);
    let mut part = part.take();
    let key = cell_key(cell);
    part.recheck(cell, |last| (from..=last).map(|index| run_seed(hunt.seed, &key, index)).collect());
    part
}

struct Chunk {
    case: Case,
    strategy: StrategyName,
    hunt: u64,
    key: String,
    next: u64,
    to: u64,
    seed: u64,
    generator: Box<dyn Generator>,
    recheck_percent: u8,
    part: Rc<RefCell<Part>>,
}

impl Source for Chunk {
    fn next(&mut self) -> Option<Setup> {
        if self.next == self.to || self.part.borrow().found.is_some() {
            return None;
        }
        self.seed = run_seed(self.hunt, &self.key, self.next);
        self.next += 1;
        let strategy = build(&self.case, self.strategy, self.seed);
        Some(self.case.setup(self.generator.plan(self.seed), self.seed, strategy, Record::Hash))
    }

    fn finished(&mut self, ended: Ended) {
        self.part.borrow_mut().add(self.next - 1, self.seed, ended.outcome, self.recheck_percent);
    }
}

fn threads_chunk(hunt: &Hunt<'_>, cell: &Cell, from: u64, to: u64) -> Part {
    let mut part = Part::default();
    let mut generator = cell.case.generator();
    for index in from..to {
        if part.found.is_some() || hunt.over() {
            break;
        }
        let seed = run_seed(hunt.seed, &cell_key(cell), index);
        part.add(index, seed, threads::run_once(seed, Record::Hash, cell.case.body(generator.plan(seed))), 0);
    }
    part
}

#[expect(clippy::disallowed_methods, reason = "how long a hunt takes is told to its user and decides nothing in a run")]
pub(super) fn now() -> Instant {
    Instant::now()
}

pub(super) fn timed<R>(work: impl FnOnce() -> R) -> (R, f64) {
    let start = now();
    let result = work();
    (result, start.elapsed().as_secs_f64())
}
