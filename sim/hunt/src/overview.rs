//! The end of a hunt through many cells: a row for each component, an explanation of the rows, one finding in full, and
//! the next commands. It fits a screen of 45 lines and 100 columns. A row for each cell would not fit: these rows are
//! in a file, in `--json`, and in the output with `--verbose`.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, Table};
use indicatif::HumanCount;
use lastref::scenario::{Expect, Expectation, Judgement, Scenario, finding};

use super::outcome::Outcome;
use super::project::Project;
use super::terminal::Look;

/// At most this many undecided cells are named; the file has all of them.
const UNDECIDED_SHOWN: usize = 5;

const HEADER: [&str; 6] =
    ["component", "scenarios", "schedules", "defects found", "slowest to find", "cells kept clean"];

/// A component's row.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row<'a> {
    scenarios: usize,
    schedules: u64,
    /// For each defect's name, whether a cell has found it.
    defects: BTreeMap<&'a str, bool>,
    /// The schedule of the latest first finding of a planted defect.
    slowest: Option<u64>,
    /// Of the cells that must stay clean: the number that are clean, and the number of all.
    clean: (usize, usize),
}

/// One row for each component, the undecided cells, one finding and the next commands; ends with a line break.
/// `summary` is the hunt's summary line, and `file` is the file with a row for each cell.
pub(super) fn render(
    project: Project<'_>,
    outcomes: &[Outcome],
    summary: &str,
    file: Option<&str>,
    look: Look,
) -> String {
    let rows = rows(outcomes);
    let mut text = table(&rows, look) + "\n";
    let _ = writeln!(text, "{summary}");
    if let Some(slowest) = slowest(outcomes) {
        let (name, schedule) = (slowest.name(), HumanCount(slowest.report.schedules));
        let _ = writeln!(text, "The slowest to find took {schedule} schedules:\n  {name}");
    }
    text.push_str(explanation(&project.scenarios.all()));
    let undecided: Vec<&Outcome> =
        outcomes.iter().filter(|outcome| outcome.judgement() == Judgement::Undecided).collect();
    for outcome in undecided.iter().take(UNDECIDED_SHOWN) {
        let _ = writeln!(text, "{}:\n  {}, {}", outcome.name(), outcome.verdict(), outcome.schedules());
    }
    if undecided.len() > UNDECIDED_SHOWN {
        let _ = writeln!(text, "and {} more undecided cells", undecided.len() - UNDECIDED_SHOWN);
    }
    let example = example(outcomes);
    if let Some(failure) = example.and_then(Outcome::failure) {
        let _ = write!(text, "\nOne of the findings:\n\n{}", finding::head(project.program, failure));
    }
    text.push('\n');
    text.push_str(&next(project.program, example, file));
    text
}

/// Explains the words of the table: *cell*, and *planted defect* if the scenarios have any. The defects count as
/// upstream's own if most scenarios with a defect name a report.
fn explanation(scenarios: &[Scenario]) -> &'static str {
    let is_defect = |said: &Expectation| said.expect != Expect::Clean;
    let with_defect = scenarios.iter().filter(|scenario| scenario.expectations().iter().any(is_defect));
    let (reported, own): (Vec<&Scenario>, Vec<&Scenario>) = with_defect.partition(|it| !it.upstream().is_empty());
    match (reported.len(), own.len()) {
        (0, 0) => "A cell is one scenario with one variant on one engine.\n",
        (reported, own) if reported > own => {
            "A planted defect is a bug in one variant of a model; most were upstream's own. The variant `fixed`\n\
             has none. A cell is one scenario with one variant on one engine.\n"
        }
        _ => {
            "A planted defect is a bug in one variant of a model. The variant `fixed` has none. A cell is one\n\
             scenario with one variant on one engine.\n"
        }
    }
}

fn rows(outcomes: &[Outcome]) -> BTreeMap<&str, Row<'_>> {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut last = None;
    for outcome in outcomes {
        let name = outcome.chosen.cell.case.name();
        let row = rows.entry(&name.component).or_default();
        // The cells of a scenario stand side by side.
        row.scenarios += usize::from(last != Some((&name.component, &name.scenario)));
        last = Some((&name.component, &name.scenario));
        row.schedules += outcome.report.schedules;
        let is_met = outcome.judgement() == Judgement::AsExpected;
        match outcome.chosen.expectation.expect {
            Expect::Clean => {
                row.clean.0 += usize::from(is_met);
                row.clean.1 += 1;
            }
            Expect::Violation { .. } => {
                *row.defects.entry(outcome.chosen.expectation.variant).or_default() |= is_met;
                if is_met {
                    row.slowest = row.slowest.max(Some(outcome.report.schedules));
                }
            }
        }
    }
    rows
}

fn table(rows: &BTreeMap<&str, Row<'_>>, look: Look) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).force_no_tty();
    if look.colour {
        table.enforce_styling();
    }
    if let Some(width) = look.width {
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(HEADER.map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    for (component, row) in rows {
        let found = row.defects.values().filter(|found| **found).count();
        table.add_row([
            (*component).to_owned(),
            row.scenarios.to_string(),
            HumanCount(row.schedules).to_string(),
            format!("{found} of {}", row.defects.len()),
            row.slowest.map(|schedule| HumanCount(schedule).to_string()).unwrap_or_default(),
            format!("{} of {}", row.clean.0, row.clean.1),
        ]);
    }
    if let Some(names) = table.column_mut(0) {
        // In a narrow terminal the heads of the other columns break, between words.
        names.set_constraint(ColumnConstraint::ContentWidth);
    }
    for index in 1..HEADER.len() {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// The planted defect whose first finding took the most schedules.
fn slowest(outcomes: &[Outcome]) -> Option<&Outcome> {
    outcomes.iter().filter(|outcome| is_found_defect(outcome)).max_by_key(|outcome| outcome.report.schedules)
}

fn is_found_defect(outcome: &Outcome) -> bool {
    outcome.failure().is_some() && outcome.judgement() == Judgement::AsExpected
}

/// The finding that is shown in full: a scenario's example if the hunt has one, or else the first finding.
fn example(outcomes: &[Outcome]) -> Option<&Outcome> {
    let found = || outcomes.iter().filter(|outcome| is_found_defect(outcome));
    found().find(|outcome| outcome.chosen.expectation.is_example).or_else(|| found().next())
}

fn next(program: &str, example: Option<&Outcome>, file: Option<&str>) -> String {
    let mut lines: Vec<(String, &str)> = Vec::new();
    if let Some(token) = example.and_then(Outcome::token) {
        lines.push((format!("{program} replay {token}"), "shows its interleaving"));
    }
    lines.push((format!("{program} list"), "shows the scenarios"));
    lines.push((format!("{program} run SCENARIO --variant V"), "explores one of them"));
    if let Some(file) = file {
        lines.push((file.to_owned(), "has a row and a token for each cell"));
    }
    let mut text = String::from("Next:\n");
    for (command, purpose) in lines {
        let _ = writeln!(text, "  {command}\n      {purpose}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{PROJECT, clean, clean_only, deserted, planted, shared, violation};

    #[test]
    fn a_row_counts_what_was_found_of_what_was_planted_and_what_stayed_clean_of_what_must() {
        let mut late = planted();
        late.report.schedules = 40;
        // Three variants that must stay clean: one with a finding, one undecided, and one clean.
        let outcomes = [late, violation(), deserted(20), clean(2_000)];
        let rows = rows(&outcomes);
        let found: usize = rows.values().flat_map(|row| row.defects.values()).filter(|found| **found).count();
        assert_eq!((found, rows.values().map(|row| row.defects.len()).sum::<usize>()), (1, 1));
        let clean = rows.values().fold((0, 0), |sum, row| (sum.0 + row.clean.0, sum.1 + row.clean.1));
        assert_eq!(clean, (1, 3));
        assert_eq!(rows.values().filter_map(|row| row.slowest).collect::<Vec<_>>(), [40]);
        assert_eq!(rows.values().map(|row| row.schedules).sum::<u64>(), 2_060 + outcomes[1].report.schedules);
    }

    #[test]
    fn a_screen_shows_an_expected_finding_in_full_and_never_an_unexpected_one() {
        let planted = planted();
        let token = planted.token().expect("a finding has a token");
        let screen = render(PROJECT, &[planted, clean(2_000)], "2 of 2 as expected", Some("x/hunt.txt"), Look::OF_FILE);
        for part in [&format!("replay: pool replay {token}"), "2 of 2 as expected", "x/hunt.txt", "does not hold"] {
            assert!(screen.contains(part), "no `{part}` in\n{screen}");
        }
        let screen = render(PROJECT, &[violation(), deserted(20)], "", None, Look::OF_FILE);
        assert!(!screen.contains("does not hold") && screen.contains("undecided, clean so far"), "{screen}");
    }

    #[test]
    fn a_narrow_terminal_breaks_no_name_of_a_component() {
        let outcomes = [planted(), clean(2_000)];
        let rows = rows(&outcomes);
        let text = table(&rows, Look { width: Some(70), colour: false });
        assert!(rows.keys().all(|name| text.contains(name)), "{text}");
    }

    #[test]
    fn undecided_cells_beyond_the_first_are_counted() {
        let outcomes = vec![deserted(20); UNDECIDED_SHOWN + 3];
        let screen = render(PROJECT, &outcomes, "", None, Look::OF_FILE);
        assert_eq!(screen.matches("undecided, clean so far").count(), UNDECIDED_SHOWN, "{screen}");
        assert!(screen.contains("and 3 more undecided cells"), "{screen}");
    }

    #[test]
    fn planted_defects_are_explained_where_the_list_has_any() {
        let [clean, own, reported] = [clean_only(""), shared(""), shared("none#1")];
        assert!(explanation(&[reported.clone(), clean.clone()]).contains("most were upstream's own"));
        let mixed = explanation(&[reported, own]);
        assert!(mixed.contains("planted defect") && !mixed.contains("upstream"), "{mixed}");
        assert!(!explanation(&[clean]).contains("planted defect"));
    }

    #[test]
    fn a_component_without_defects_has_a_row_and_no_example() {
        let outcomes = vec![clean(2_000); 21];
        let screen = render(PROJECT, &outcomes, "21 of 21 as expected", None, Look::OF_FILE);
        assert!(screen.contains("21 of 21 ") && screen.contains("0 of 0"), "{screen}");
        assert!(!screen.contains("One of the findings") && !screen.contains("pool replay"), "{screen}");
    }
}
