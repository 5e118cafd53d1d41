//! Searching cells as a hunt does, for tests.

use std::sync::atomic::AtomicBool;

use lastref::explore::{Budget, Cell, Hunt, LoomBudget, Quiet, RECHECK_PERCENT, Report};
use lastref::scenario::defaults;

/// The reports of a hunt through these cells with this many jobs, without a time limit. `schedules` replaces the cells'
/// own budgets; loom keeps its own.
pub fn hunt(cells: Vec<Cell>, seed: u64, schedules: u64, jobs: usize) -> Vec<Report> {
    let budget = Budget::exactly(schedules);
    run(cells.into_iter().map(|cell| Cell { budget, ..cell }).collect(), seed, jobs, defaults::LOOM)
}

/// The report of a search of one cell within a budget of `schedules`.
///
/// # Panics
/// If the hunt has no report of its cell, which is a bug of the harness.
pub fn search(cell: &Cell, seed: u64, schedules: u64) -> Report {
    one(hunt(vec![cell.clone()], seed, schedules, 1))
}

/// The report of a search of one cell within its own budget, which under loom is a number of executions. There is one
/// job, since the test runner spreads the tests over the cores.
///
/// # Panics
/// If the hunt has no report of its cell, which is a bug of the harness.
pub fn search_within_budget(cell: &Cell, seed: u64) -> Report {
    one(run(vec![cell.clone()], seed, 1, LoomBudget { executions: cell.budget.most, ..defaults::LOOM }))
}

fn one(mut reports: Vec<Report>) -> Report {
    reports.pop().expect("invariant: a hunt reports on each of its cells")
}

fn run(cells: Vec<Cell>, seed: u64, jobs: usize, loom: LoomBudget) -> Vec<Report> {
    let never = AtomicBool::new(false);
    Hunt { cells, seed, loom, recheck_percent: RECHECK_PERCENT, deadline: None, jobs, stop: &never, observer: &Quiet }
        .run()
}
