//! Searching cells as a hunt does, for tests.

use std::sync::atomic::AtomicBool;

use scenarios::defaults;
use sim::explore::{Cell, Hunt, Quiet, RECHECK_PERCENT, Report};

/// What a hunt through these cells gives, with that many jobs; no clock ends it.
pub fn hunt(cells: Vec<Cell>, seed: u64, schedules: u64, jobs: usize) -> Vec<Report> {
    let never = AtomicBool::new(false);
    let loom = defaults::LOOM;
    Hunt {
        cells,
        seed,
        schedules,
        loom,
        recheck_percent: RECHECK_PERCENT,
        deadline: None,
        jobs,
        stop: &never,
        observer: &Quiet,
    }
    .run()
}

/// What searching one cell gives. One job, since the test runner spreads the tests over the cores already.
///
/// # Panics
/// If the hunt has no report of its cell, which is a bug of the harness.
pub fn search(cell: &Cell, seed: u64, schedules: u64) -> Report {
    hunt(vec![cell.clone()], seed, schedules, 1).pop().expect("invariant: a hunt reports on each of its cells")
}
