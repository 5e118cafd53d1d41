//! The layout of a table: a column for each task if the lines stay short, else one column that names the task.

use std::collections::BTreeSet;

use comfy_table::{ContentArrangement, Table, presets};

use super::{Detail, Row, TaskInfo, clock};
use crate::session::Outcome;

/// Maximum line width of a table that has a column for each task and is not full.
const WIDTH: usize = 120;

/// Maximum line width of a sentence.
const SENTENCE: u16 = 100;

/// The text in lines of at most [`SENTENCE`] columns, broken between words.
pub(super) fn wrapped(text: &str) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(SENTENCE).add_row(vec![text]);
    table.lines().map(|line| line.trim().to_owned() + "\n").collect()
}

/// Draws the shown rows, and one row in place of each omitted group.
pub(super) fn draw(rows: &[Row<'_>], shown: &BTreeSet<usize>, outcome: &Outcome, detail: Detail) -> String {
    let drawn: Vec<&Row<'_>> = shown.iter().map(|row| &rows[*row]).collect();
    let columns = columns(&drawn, outcome);
    let table = lines(rows, shown, outcome, detail, &columns);
    let widest = table.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let table =
        if detail == Detail::Custody && widest > WIDTH { lines(rows, shown, outcome, detail, &[]) } else { table };
    let legend =
        if drawn.iter().any(|row| row.is_forced) { "(>: the schedule forces a switch to this task)\n" } else { "" };
    table + legend
}

/// The lines of the table. If `columns` is empty, one column names the tasks.
fn lines(
    rows: &[Row<'_>],
    shown: &BTreeSet<usize>,
    outcome: &Outcome,
    detail: Detail,
    columns: &[Column<'_>],
) -> String {
    let marks = shown.iter().any(|row| rows[*row].is_forced);
    let is_full = detail == Detail::Full;
    let mut table = Table::new();
    table.load_style(presets::ASCII_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    let mut header: Vec<&str> = Vec::new();
    header.extend(marks.then_some(""));
    header.push("time");
    header.extend(is_full.then_some("step"));
    header.extend(columns.iter().map(|column| column.name));
    header.extend(columns.is_empty().then_some(["task", "event"]).into_iter().flatten());
    header.extend(is_full.then_some("source"));
    table.set_header(header);
    let mut next = 0;
    let mut leave_out = |table: &mut Table, until: usize| {
        if until > next {
            let count = until - next;
            let mut row: Vec<String> = marks.then(String::new).into_iter().collect();
            row.push(if is_full { "...".to_owned() } else { format!("{count} rows") });
            table.add_row(row);
        }
        next = until + 1;
    };
    for place in shown {
        leave_out(&mut table, *place);
        let Row { event, text, is_forced } = &rows[*place];
        let mut row: Vec<String> = Vec::new();
        row.extend(marks.then(|| if *is_forced { ">".to_owned() } else { String::new() }));
        row.push(clock(event.now_ns));
        row.extend(is_full.then(|| event.step.to_string()));
        let task = event.task.index();
        if columns.is_empty() {
            row.extend([outcome.tasks[task].name.text.to_owned(), text.clone()]);
        }
        let told = told(outcome, task, text);
        row.extend(
            columns.iter().map(|column| if column.tasks.contains(&task) { told.clone() } else { String::new() }),
        );
        row.extend(is_full.then(|| format!("{}:{}", event.location.file(), event.location.line())));
        table.add_row(row);
    }
    leave_out(&mut table, rows.len());
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// A column: a task, or a host with all of its tasks.
struct Column<'a> {
    name: &'a str,
    host: Option<&'static str>,
    tasks: Vec<usize>,
}

/// The columns of the tasks that have rows, in the order of creation.
fn columns<'a>(rows: &[&Row<'_>], outcome: &'a Outcome) -> Vec<Column<'a>> {
    let mut tasks: Vec<usize> = rows.iter().map(|row| row.event.task.index()).collect();
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

/// The text in the row of a task. For a task of a host, it begins with the task's name, without the name of the host
/// (`net::Host::spawn`).
fn told(outcome: &Outcome, task: usize, text: &str) -> String {
    let TaskInfo { name, host, .. } = &outcome.tasks[task];
    let name = name.text;
    let on_host = host.and_then(|host| name.strip_prefix(host)?.strip_prefix('/'));
    on_host.map_or_else(|| text.to_owned(), |name| format!("{name}: {text}"))
}
