//! The table of a run: one column per task, one row per event. It is the text that snapshots hold.

#[cfg(feature = "table")]
use std::fmt::Write as _;

#[cfg(feature = "table")]
use comfy_table::{Cell, ContentArrangement, Table, presets};

use kernel::record::{Event, Item, ObjectId, OpKind, Subject, label};
#[cfg(feature = "table")]
use kernel::record::{TaskInfo, ViolationKind};

use crate::session::Outcome;

/// How much of a trace a table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Custody, state changes and notes: what a reviewer reads. Mere uses, operations that begin and complete, and
    /// accesses to cells are shown of the resource, or the cell, that the finding is about only. No source lines, so
    /// that an edit above does not change a snapshot.
    Custody,
    /// Every operation, with its source line.
    Full,
}

/// A table keeps the first rows of a long run, for its setup, and the last ones, which end in the finding.
#[cfg(feature = "table")]
const FIRST_ROWS: usize = 200;
#[cfg(feature = "table")]
const LAST_ROWS: usize = 800;

/// Without the feature `table` there are no tables.
#[cfg(not(feature = "table"))]
pub(crate) fn render(_: &Outcome, _: Detail) -> String {
    String::new()
}

/// Draws the recorded events, at most [`FIRST_ROWS`] and [`LAST_ROWS`] of them.
#[cfg(feature = "table")]
pub(crate) fn render(outcome: &Outcome, detail: Detail) -> String {
    let mut rows: Vec<(&Event, String)> = outcome
        .trace
        .events
        .iter()
        .filter_map(|event| text(event, outcome, detail).map(|text| (event, text)))
        .collect();
    // A run of tens of thousands of steps and some thirty tasks has a million cells, most of them empty: a table of
    // all of them takes seconds and a gigabyte to draw.
    let left_out = rows.len().saturating_sub(FIRST_ROWS + LAST_ROWS);
    rows.drain(rows.len().min(FIRST_ROWS)..rows.len().min(FIRST_ROWS) + left_out);
    let shown = columns(&rows, outcome);
    let mut table = Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    let mut header = vec!["time".to_owned()];
    if detail == Detail::Full {
        header.push("step".to_owned());
    }
    header.extend(shown.iter().map(|column| column.name.to_owned()));
    if detail == Detail::Full {
        header.push("source".to_owned());
    }
    table.set_header(header);
    for (nth, (event, text)) in rows.iter().enumerate() {
        if nth == FIRST_ROWS && left_out > 0 {
            table.add_row(vec!["...".to_owned()]);
        }
        let mut row = vec![Cell::new(clock(event.now_ns))];
        if detail == Detail::Full {
            row.push(Cell::new(event.step));
        }
        let task = event.task.index();
        let told = told(outcome, task, text);
        row.extend(shown.iter().map(|column| Cell::new(if column.tasks.contains(&task) { told.as_str() } else { "" })));
        if detail == Detail::Full {
            row.push(Cell::new(format!("{}:{}", event.location.file(), event.location.line())));
        }
        table.add_row(row);
    }
    let mut drawn: String = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    if left_out > 0 {
        let _ = writeln!(drawn, "(...: {left_out} rows are left out; a table has {} at most)", FIRST_ROWS + LAST_ROWS);
    }
    drawn.push_str(&last_line(outcome));
    drawn
}

/// The finding, and the task that it blames; empty for a clean run.
#[cfg(feature = "table")]
fn last_line(outcome: &Outcome) -> String {
    let Some(violation) = &outcome.violation else { return String::new() };
    // A deadlock, a stall and a leak have no actor: the task that ran last did not cause them.
    let of_all = matches!(violation.kind, ViolationKind::Deadlock | ViolationKind::Stall | ViolationKind::Leak);
    let blamed = outcome.tasks.get(outcome.task.index()).filter(|_| !of_all);
    let blamed = blamed.map_or_else(String::new, |task| format!(" ({})", task.name.text));
    format!("{}: {}{blamed}\n", violation.property, violation.message)
}

/// A column: a task, or a host with all of its tasks.
#[cfg(feature = "table")]
struct Column<'a> {
    name: &'a str,
    host: Option<&'static str>,
    tasks: Vec<usize>,
}

/// The columns of the tasks that have rows, in the order of creation.
#[cfg(feature = "table")]
fn columns<'a>(rows: &[(&Event, String)], outcome: &'a Outcome) -> Vec<Column<'a>> {
    let mut tasks: Vec<usize> = rows.iter().map(|(event, _)| event.task.index()).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let mut columns: Vec<Column> = Vec::new();
    for task in tasks {
        let host = outcome.tasks[task].host;
        match columns.iter_mut().find(|column| host.is_some() && column.host == host) {
            Some(column) => column.tasks.push(task),
            None => {
                columns.push(Column { name: host.unwrap_or(outcome.tasks[task].name.text), host, tasks: vec![task] })
            }
        }
    }
    columns
}

/// What stands in the row of a task. The name of a task of a host is part of the text, without its host's
/// (`net::Host::spawn`).
#[cfg(feature = "table")]
fn told(outcome: &Outcome, task: usize, text: &str) -> String {
    let TaskInfo { name, host, .. } = &outcome.tasks[task];
    let name = name.text;
    let on_host = host.and_then(|host| name.strip_prefix(host)?.strip_prefix('/'));
    on_host.map_or_else(|| text.to_owned(), |name| format!("{name}: {text}"))
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

/// One event as a reader may look it up: who, when, what, where.
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
