//! Generates docs/detection.md: the scenarios that find each defect, and the number of schedules that each needs.
//!
//! Every figure is a function of the tree: the seeds are fixed, and a hunt does not depend on the number of jobs. So
//! the document can be compared with what the tree gives now.

use std::fmt::Write;

use lastref::explore::{Cell, Engine, Report, Verdict};
use lastref::scenario::{Expect, defaults};

use crate::cells::{self, SuiteCell};
use crate::search::hunt;

/// Hunts per defect, with seeds 0, 1, 2 and so on.
pub const SEEDS: u64 = 20;
/// Maximum number of schedules of one hunt for a defect.
pub const SCHEDULES: u64 = defaults::SCHEDULES_OF_DEFECT;
/// Number of schedules for a clean variant, which is searched once, with seed 0.
pub const CLEAN_SCHEDULES: u64 = defaults::SCHEDULES;

const JOBS: usize = 2;

/// Generates the document from the current tree.
///
/// # Panics
/// If a hunt has no report of one of its cells, or no verdict on one.
pub fn document() -> String {
    let cells = cells::all();
    let rows = rows(&cells);
    let mut text = format!(
        "# Which scenario finds which defect\n\n\
         Generated from the tree by `LASTREF_UPDATE=1 cargo test -p lastref-tests --test detection`; a test compares.\n\n\
         Under fiber and turmoil by the strategy `{}`: a defect is searched from {SEEDS} seeds (0 to {}), at most {SCHEDULES} schedules each, and \
         the figures are the median and the worst number of runs up to and including the first finding; a clean variant is searched once, \
         from seed 0. Under loom the figures are executions, of all explorations together: each is exhaustive within a bound on preemptions, \
         which begins at two and is raised while the budget lasts, and has no seed.\n",
        defaults::STRATEGY,
        SEEDS - 1,
    );
    let mut components: Vec<&str> = cells.iter().map(component).collect();
    components.dedup();
    for component in components {
        let _ = write!(
            text,
            "\n## {component}\n\n| variant | scenario | engine | property | median | worst |\n| --- | --- | --- | --- | --: | --: |\n"
        );
        let mut own: Vec<&Row> = rows.iter().filter(|row| row.component == component).collect();
        own.sort_by_key(|row| (row.variant != "fixed", &row.variant));
        for row in own {
            let Row { variant, scenario, engine, outcome, .. } = row;
            let _ = writeln!(text, "| {variant} | {scenario} | {engine} | {outcome} |");
        }
    }
    text
}

struct Row {
    component: String,
    variant: String,
    scenario: String,
    engine: Engine,
    /// The last three columns.
    outcome: String,
}

fn component(cell: &SuiteCell) -> &str {
    &cell.cell.case.name().component
}

fn rows(cells: &[SuiteCell]) -> Vec<Row> {
    let seeded = |cell: &SuiteCell| cell.cell.engine.is_scheduled() && cell.expectation.expect != Expect::Clean;
    let searched: Vec<Cell> = cells.iter().filter(|cell| seeded(cell)).map(|cell| cell.cell.clone()).collect();
    let single: Vec<Cell> = cells.iter().filter(|cell| !seeded(cell)).map(|cell| cell.cell.clone()).collect();
    let by_seed: Vec<Vec<Report>> = (0..SEEDS).map(|seed| hunt(searched.clone(), seed, SCHEDULES, JOBS)).collect();
    let once = hunt(single, defaults::SEED, CLEAN_SCHEDULES, JOBS);
    let (mut nth_seeded, mut nth_single) = (0, 0);
    cells
        .iter()
        .map(|cell| {
            let outcome = if seeded(cell) {
                nth_seeded += 1;
                over_seeds(&by_seed.iter().map(|reports| &reports[nth_seeded - 1]).collect::<Vec<_>>())
            } else {
                nth_single += 1;
                of_one(&once[nth_single - 1])
            };
            let name = cell.cell.case.name();
            Row {
                component: name.component.clone(),
                variant: name.variant.clone(),
                scenario: name.scenario.clone(),
                engine: cell.cell.engine,
                outcome,
            }
        })
        .collect()
}

/// The result of a defect over all seeds. The seeds that miss it are counted in the text.
fn over_seeds(reports: &[&Report]) -> String {
    let mut properties: Vec<&str> = reports
        .iter()
        .filter_map(|report| report.failure())
        .map(|failure| failure.violation.property.as_str())
        .collect();
    reports.iter().for_each(|report| demand_verdict(report));
    let missed = reports.len() - properties.len();
    properties.sort_unstable();
    properties.dedup();
    let mut counts: Vec<u64> = reports.iter().map(|report| report.schedules).collect();
    counts.sort_unstable();
    let missed = if missed > 0 { format!(" (missed by {missed} of {SEEDS} seeds)") } else { String::new() };
    format!("{}{missed} | {} | {}", properties.join("; "), counts[counts.len() / 2], counts[counts.len() - 1])
}

fn of_one(report: &Report) -> String {
    demand_verdict(report);
    match report.failure() {
        Some(failure) => format!("{} | {} | {}", failure.violation.property, report.schedules, report.schedules),
        None if report.complete => {
            let bound = report.preemptions.map_or_else(String::new, |bound| format!(", {bound}"));
            format!("clean in {}{bound} | | ", report.schedules)
        }
        None => format!("clean in {}, not complete | | ", report.schedules),
    }
}

/// Panics if a search has no verdict: it would count neither as clean nor as a missed defect.
fn demand_verdict(report: &Report) {
    if let Verdict::Diverged { message } | Verdict::Broken { message } | Verdict::Misused { message } = &report.verdict
    {
        panic!("a cell has no verdict, so there is no document: {message}");
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use lastref::explore::run_one;

    use super::*;

    #[test]
    fn a_search_without_a_verdict_has_no_row() {
        let cell = &cells::all()[0].cell;
        let judged = run_one(&cell.case, cell.engine, cell.strategy, 0);
        assert!(catch_unwind(|| of_one(&judged)).is_ok());
        let failed = Report { verdict: Verdict::Broken { message: "it did not start".to_owned() }, ..judged };
        assert!(catch_unwind(|| of_one(&failed)).is_err() && catch_unwind(|| over_seeds(&[&failed])).is_err());
    }
}
