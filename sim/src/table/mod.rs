//! The table of a run: one row per event, in one column per task where that fits. Snapshots contain this text.

#[cfg(feature = "table")]
mod choice;
#[cfg(feature = "table")]
mod layout;

#[cfg(feature = "table")]
use std::fmt::Write as _;

use kernel::record::{Event, Item, ObjectId, OpKind, Subject, label};
#[cfg(feature = "table")]
use kernel::record::{TaskInfo, ViolationKind};

use crate::session::Outcome;

/// How much of a trace a table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What led to the finding: at most 25 rows of custody, state changes and notes, and the switches that the
    /// schedule forces. Uses, starts and completions of operations, and accesses to cells are shown only for the
    /// resource or the cell that the finding is about. No source lines, so that an edit above does not change a
    /// snapshot.
    Custody,
    /// Every operation, with its source line.
    Full,
}

/// Maximum number of rows of a table that is not full, including those that replace omitted rows.
#[cfg(feature = "table")]
const ROWS: usize = 25;

/// A full table keeps the first rows of a long run, for its setup, and the last ones, which end in the finding.
#[cfg(feature = "table")]
const FIRST_ROWS: usize = 200;
#[cfg(feature = "table")]
const LAST_ROWS: usize = 800;

/// Without the feature `table` there are no tables.
#[cfg(not(feature = "table"))]
pub(crate) fn render(_: &Outcome, _: Detail) -> String {
    String::new()
}

/// A row of a table.
#[cfg(feature = "table")]
struct Row<'a> {
    event: &'a Event,
    text: String,
    /// The schedule forces the switch to its task.
    is_forced: bool,
}

/// Draws the recorded events.
#[cfg(feature = "table")]
pub(crate) fn render(outcome: &Outcome, detail: Detail) -> String {
    let rows = rows(outcome, detail);
    let shown = match detail {
        Detail::Custody => choice::what_led_to_it(&rows, outcome),
        // A run of tens of thousands of steps and some thirty tasks has a million cells, most of them empty: a table of
        // all of them takes seconds and a gigabyte to draw.
        Detail::Full => choice::ends(rows.len(), FIRST_ROWS, LAST_ROWS),
    };
    let mut drawn = layout::draw(&rows, &shown, outcome, detail);
    if detail == Detail::Full && shown.len() < rows.len() {
        let left_out = rows.len() - shown.len();
        let _ = writeln!(drawn, "(...: {left_out} rows are left out; a table has {} at most)", FIRST_ROWS + LAST_ROWS);
    }
    drawn.push_str(&last_line(outcome));
    drawn
}

#[cfg(feature = "table")]
fn rows(outcome: &Outcome, detail: Detail) -> Vec<Row<'_>> {
    let told = outcome.trace.events.iter().filter_map(|event| text(event, outcome, detail).map(|text| (event, text)));
    let mut rows: Vec<Row> = told.map(|(event, text)| Row { event, text, is_forced: false }).collect();
    if outcome.forced.len() <= choice::SWITCHES_MAX {
        for (step, task) in &outcome.forced {
            let is_next = |row: &&mut Row| row.event.step >= *step && row.event.task == *task;
            if let Some(row) = rows.iter_mut().find(is_next) {
                row.is_forced = true;
            }
        }
    }
    rows
}

/// The finding, and the task that it blames; empty for a clean run.
#[cfg(feature = "table")]
fn last_line(outcome: &Outcome) -> String {
    let Some(violation) = &outcome.violation else { return String::new() };
    // A deadlock, a stall and a leak have no actor: the task that ran last did not cause them.
    let of_all = matches!(violation.kind, ViolationKind::Deadlock | ViolationKind::Stall | ViolationKind::Leak);
    let blamed = outcome.tasks.get(outcome.task.index()).filter(|_| !of_all);
    let blamed = blamed.map_or_else(String::new, |task| format!(" ({})", task.name.text));
    layout::wrapped(&format!("{}: {}{blamed}", violation.property, violation.message))
}

fn clock(now_ns: u64) -> String {
    match now_ns {
        0 => "0".to_owned(),
        ns if ns % 1_000_000_000 == 0 => format!("{}s", ns / 1_000_000_000),
        ns if ns % 1_000_000 == 0 => format!("{}ms", ns / 1_000_000),
        ns if ns % 1_000 == 0 => format!("{}us", ns / 1_000),
        ns => format!("{ns}ns"),
    }
}

/// One event as text: task, step, time, action and source line.
pub(crate) fn describe(event: &Event, outcome: &Outcome) -> String {
    let task = outcome.tasks.get(event.task.index()).map_or("-", |task| task.name.text);
    let what = match &event.item {
        Item::Op { kind, object } => format!("{kind} {}", object_name(outcome, *object)),
        _ => text(event, outcome, Detail::Full).unwrap_or_default(),
    };
    let (file, line) = (event.location.file(), event.location.line());
    format!("{task}, step {}, {}: {what} ({file}:{line})", event.step, clock(event.now_ns))
}

fn object_name(outcome: &Outcome, object: ObjectId) -> String {
    label(&outcome.objects, object).map_or_else(|| "-".to_owned(), |(class, nth)| format!("{class}#{nth}"))
}

fn text(event: &Event, outcome: &Outcome, detail: Detail) -> Option<String> {
    match &event.item {
        Item::Custody(custody) if detail == Detail::Custody && custody.is_routine() => {
            let (class, nth) = custody.resource();
            let concerns =
                outcome.violation.as_ref().is_some_and(|violation| violation.concerns(Subject::Resource(class, nth)));
            concerns.then(|| custody.to_string())
        }
        Item::Custody(custody) => Some(custody.to_string()),
        Item::Transition { machine, index, from, to } => Some(format!("{machine}#{index} {from} -> {to}")),
        Item::Note(text) => Some(text.to_string()),
        Item::TimedOut => Some("timed out".to_owned()),
        Item::Began | Item::Ended if detail == Detail::Custody => None,
        Item::Began => Some("begins".to_owned()),
        Item::Ended => Some("ends".to_owned()),
        Item::Op { kind: kind @ (OpKind::CellRead | OpKind::CellWrite), object } if detail == Detail::Custody => {
            let (class, nth) = label(&outcome.objects, *object)?;
            let violation = outcome.violation.as_ref();
            let concerns = violation.is_some_and(|violation| violation.concerns(Subject::Cell(class, nth)));
            concerns.then(|| format!("{kind} {class}#{nth}"))
        }
        Item::Op { .. } | Item::Blocked { .. } if detail == Detail::Custody => None,
        Item::Blocked { on } => Some(format!("blocks on {}", object_name(outcome, *on))),
        // The ledger's own row follows and says more.
        Item::Op { kind: OpKind::Use | OpKind::Transfer | OpKind::Release, .. } => None,
        Item::Op { kind, object } => Some(format!("{kind} {}", object_name(outcome, *object))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_the_largest_unit_that_divides_it() {
        for (ns, told) in [
            (0, "0"),
            (7, "7ns"),
            (1_500, "1500ns"),
            (2_000, "2us"),
            (2_500_000, "2500us"),
            (3_000_000, "3ms"),
            (1_500_000_000, "1500ms"),
            (60_000_000_000, "60s"),
        ] {
            assert_eq!(clock(ns), told);
        }
    }
}
