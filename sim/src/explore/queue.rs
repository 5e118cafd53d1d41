//! The choice of the cell whose runs are executed next.
//!
//! Time is shared by work, not by runs, since a run of one cell may have a hundred times the steps of another's: the
//! cell with the fewest steps so far is next. A hunt whose time runs out has then decided the cheap cells, and
//! searched each of the others in part.

use std::collections::BTreeMap;
use std::time::Instant;

use super::cell::Cell;
use super::chunk::ChunkResult;
use super::report::Report;

/// Runs per chunk: enough to reuse a pool of stacks, few enough to stop without a visible delay.
const CHUNK: u64 = 32;

/// Progress of a cell.
pub(super) struct CellState {
    /// The first run that was not handed out.
    next: u64,
    /// The first run of the lowest chunk with a finding: nothing after it is handed out.
    bound: u64,
    /// Number of chunks in progress.
    out: usize,
    /// Runs and steps of the chunks that are done.
    runs: u64,
    steps: u64,
    /// The parts of the first chunks, added up, up to the first finding.
    pub(super) whole: ChunkResult,
    /// The first run that is not in `whole`.
    absorbed: u64,
    /// Chunks that are done before an earlier one, by their first run: the end of each, and its part.
    ahead: BTreeMap<u64, (u64, ChunkResult)>,
    pub(super) report: Option<Report>,
    pub(super) started: Option<Instant>,
}

impl CellState {
    pub(super) fn new() -> CellState {
        CellState {
            next: 0,
            bound: u64::MAX,
            out: 0,
            runs: 0,
            steps: 0,
            whole: ChunkResult::default(),
            absorbed: 0,
            ahead: BTreeMap::new(),
            report: None,
            started: None,
        }
    }

    /// Adds the part of a chunk. Returns true if the cell has ended with it.
    pub(super) fn done(&mut self, cell: &Cell, work: &Work, part: ChunkResult) -> bool {
        if part.found.is_some() {
            self.bound = self.bound.min(work.from);
        }
        self.runs += part.runs;
        self.steps += part.steps;
        self.ahead.insert(work.from, (work.to, part));
        // A part is kept only until all earlier parts are done: a long hunt would otherwise keep thousands.
        while let Some((to, part)) = self.ahead.remove(&self.absorbed) {
            self.absorbed = to;
            if self.whole.found.is_none() {
                self.whole.absorb(part);
            }
        }
        self.out -= 1;
        self.out == 0 && !self.is_open(cell)
    }

    fn is_open(&self, cell: &Cell) -> bool {
        // Loom's exploration cannot be divided.
        if cell.engine.is_exhaustive() { self.next == 0 } else { self.next < cell.budget.most.min(self.bound) }
    }

    /// An estimate of the steps that were handed out, from the steps that are done. A cell without finished chunks
    /// waits for its first one, behind all cells whose cost is known.
    fn work(&self) -> u128 {
        match (self.next, self.runs) {
            (0, _) => 0,
            (_, 0) => u128::MAX,
            (next, runs) => u128::from(self.steps) * u128::from(next) / u128::from(runs),
        }
    }
}

/// A chunk of a cell's runs.
pub(super) struct Work {
    pub(super) cell: usize,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// The phase in which a cell is searched; within a phase the cell with the least work is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// Each cell gets one chunk.
    First,
    /// Loom's explorations, early. They cannot be divided, so the last one would otherwise occupy one core alone at the
    /// end.
    LoomEarly,
    /// Each cell gets the runs that it needs to be decided.
    Enough,
    /// Loom's explorations, late: a limited time goes first to the many cells that can be searched in parts.
    LoomLate,
    /// The search continues for the remaining time.
    Beyond,
}

fn turn(cell: &Cell, state: &CellState, has_deadline: bool) -> Turn {
    match state.next {
        _ if cell.engine.is_exhaustive() && has_deadline => Turn::LoomLate,
        _ if cell.engine.is_exhaustive() => Turn::LoomEarly,
        0 => Turn::First,
        next if next < cell.budget.enough => Turn::Enough,
        _ => Turn::Beyond,
    }
}

/// Hands out the next chunk, if there is any.
pub(super) fn take(cells: &[Cell], states: &mut [CellState], has_deadline: bool) -> Option<Work> {
    let open = cells.iter().zip(states.iter()).enumerate().filter(|(_, (cell, state))| state.is_open(cell));
    let next = open.min_by_key(|(index, (cell, state))| (turn(cell, state, has_deadline), state.work(), *index));
    let index = next.map(|(index, _)| index)?;
    let (cell, state) = (&cells[index], &mut states[index]);
    let from = state.next;
    let to = if cell.engine.is_exhaustive() { u64::MAX } else { (from + CHUNK).min(cell.budget.most) };
    state.next = to;
    state.out += 1;
    Some(Work { cell: index, from, to })
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Just;

    use super::super::case::Case;
    use super::super::cell::Budget;
    use super::super::name::CaseName;
    use super::*;
    use crate::engine::Engine;
    use crate::strategy::StrategyName;

    fn cell(engine: Engine, enough: u64, most: u64) -> Cell {
        let name = CaseName { component: String::new(), scenario: String::new(), variant: String::new() };
        let case = Case::new(name, || Just(()), |(): &()| ());
        Cell { case, engine, strategy: StrategyName::RANDOM, budget: Budget { enough, most } }
    }

    /// The cells in the order of their chunks, made one after the other; a run of the n-th cell has `steps[n]` steps.
    fn order(cells: &[Cell], steps: &[u64], has_deadline: bool, chunks: usize) -> Vec<usize> {
        let mut states: Vec<CellState> = cells.iter().map(|_| CellState::new()).collect();
        let mut order = Vec::new();
        while let Some(work) = take(cells, &mut states, has_deadline).filter(|_| order.len() < chunks) {
            order.push(work.cell);
            let runs = if work.to == u64::MAX { 1 } else { work.to - work.from };
            let part = ChunkResult { runs, steps: runs * steps[work.cell], ..ChunkResult::default() };
            states[work.cell].done(&cells[work.cell], &work, part);
        }
        order
    }

    #[test]
    fn the_cell_with_the_least_work_is_next() {
        let cells = [cell(Engine::Fiber, 64, 64), cell(Engine::Turmoil, 192, 192)];
        // A chunk of the first has three times the steps of one of the second.
        assert_eq!(order(&cells, &[30, 10], true, 99), [0, 1, 1, 1, 0, 1, 1, 1]);
    }

    #[test]
    fn a_cell_that_has_had_enough_waits_for_those_that_have_not() {
        let cells = [cell(Engine::Fiber, 32, u64::MAX), cell(Engine::Fiber, 96, u64::MAX)];
        assert_eq!(order(&cells, &[1, 100], true, 6), [0, 1, 1, 1, 0, 0]);
    }

    #[test]
    fn loom_is_early_without_a_deadline_and_late_with_one() {
        let cells = [cell(Engine::Loom, 9, 9), cell(Engine::Fiber, 64, 64), cell(Engine::Fiber, 64, u64::MAX)];
        assert_eq!(order(&cells[..2], &[1, 1], false, 99), [1, 0, 1]);
        assert_eq!(order(&cells, &[1, 1, 1], true, 7), [1, 2, 1, 2, 0, 2, 2]);
    }
}
