//! docs/detection.md is current.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use lastref::scenario::Expect;
use lastref_tests::cells::{self, SuiteCell};
use lastref_tests::detection;
use lastref_tests::environment::{is_thorough, updates};
use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::SCENARIOS;

fn main() -> ExitCode {
    lastref::explore::serve_child(|name| SCENARIOS.case(name));
    let trials = vec![Trial::test("detection.md_is_current", is_current)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn is_current() -> Result<(), Failed> {
    if !is_thorough() && !updates() {
        return has_a_row_for_each_cell();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/detection.md");
    let now = detection::document();
    // If some seed misses a defect, or finds it by another property, the verdict of a hunt depends on its seed.
    let unstable: Vec<&str> =
        now.lines().filter(|row| row.contains("; ") && row.starts_with('|') || row.contains("missed by")).collect();
    if !unstable.is_empty() {
        return Err(format!("not the same property from every seed:\n{}", unstable.join("\n")).into());
    }
    if updates() {
        std::fs::write(&path, now)?;
        return Ok(());
    }
    let kept = std::fs::read_to_string(&path)?;
    let differs = kept.lines().zip(now.lines()).find(|(kept, now)| kept != now);
    match differs {
        None if kept == now => Ok(()),
        None => Err("docs/detection.md has another length than the tree gives; see its first lines".into()),
        Some((kept, now)) => Err(format!("docs/detection.md says\n  {kept}\nand the tree gives\n  {now}").into()),
    }
}

/// Every cell has a row with the property that its scenario names, and there is no other row. The suite searches the
/// cells; the figures are compared only in a thorough run.
fn has_a_row_for_each_cell() -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/detection.md");
    let kept = std::fs::read_to_string(&path)?;
    let rows: BTreeSet<String> = kept
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| variant ") && !line.starts_with("| --- "))
        .map(|row| row.split(" | ").take(4).map(outcome).collect::<Vec<_>>().join(" | "))
        .collect();
    let cells: BTreeSet<String> = cells::all().iter().map(row).collect();
    let strange: Vec<&String> = rows.symmetric_difference(&cells).collect();
    assert!(strange.is_empty(), "rows that are not those of the scenarios: {strange:#?}");
    Ok(())
}

/// A column without its figures.
fn outcome(column: &str) -> &str {
    if column.starts_with("clean in ") { "clean" } else { column }
}

fn row(cell: &SuiteCell) -> String {
    let name = cell.cell.case.name();
    let outcome = match cell.expectation.expect {
        Expect::Clean => "clean",
        Expect::Violation { property } => property,
    };
    format!("| {} | {} | {} | {outcome}", name.variant, name.scenario, cell.cell.engine)
}
