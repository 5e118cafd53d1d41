//! The table of a run: one column per task, one row per event.
//!
//! A table is at most [`WIDTH`] columns wide. A run of many tasks has one column for the task's name instead. A long
//! table is folded in its middle: its beginning shows the tasks, and its end shows the failure.

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, presets};

use crate::report::{Event, Report};

/// The maximum width of a table in characters.
const WIDTH: u16 = 100;
/// A table of at most this many rows is shown whole.
const ROWS_MAX: usize = 40;
/// The number of rows shown at the beginning of a folded table.
const HEAD: usize = 8;
/// Up to this number of tasks, each task has a column.
const COLUMNS_MAX: usize = 3;

/// A source location of at most this many characters is shown whole.
const SOURCE_MAX: usize = 30;

/// The rows of a table that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// The rows at both ends, if there are many.
    Folded,
    All,
}

/// The table of the report's events; empty if there are none. Ends with a line break.
pub(crate) fn render(report: &Report, rows: Rows) -> String {
    if report.events.is_empty() {
        return String::new();
    }
    let columns = columns(report);
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH);
    let mut header = vec![String::from("time"), String::from("step")];
    match &columns {
        Some(columns) => header.extend(columns.iter().map(|task| name(report, *task))),
        None => header.extend(["task", "event"].map(str::to_owned)),
    }
    header.push(String::from("source"));
    let width = header.len();
    table.set_header(header);
    let events = &report.events;
    let is_folded = rows == Rows::Folded && events.len() > ROWS_MAX;
    let (head, tail) = if is_folded { (HEAD, ROWS_MAX - HEAD) } else { (events.len(), 0) };
    for event in &events[..head] {
        table.add_row(row(report, event, columns.as_deref()));
    }
    if is_folded {
        let left_out = events.len() - head - tail;
        let mut fold = vec![Cell::new("..."), Cell::new("...")];
        fold.push(Cell::new(format!("{left_out} rows left out; `show --full` prints them")));
        fold.resize_with(width, || Cell::new(""));
        table.add_row(fold);
    }
    for event in &events[events.len() - tail..] {
        table.add_row(row(report, event, columns.as_deref()));
    }
    // These columns are narrow, and a source location that is broken over lines is hard to read.
    for column in [0, 1, width - 1] {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The tasks that have rows, in the order of their creation; none if they are too many for a column each.
fn columns(report: &Report) -> Option<Vec<usize>> {
    let mut tasks: Vec<usize> = report.events.iter().map(|event| event.task).collect();
    tasks.sort_unstable();
    tasks.dedup();
    (tasks.len() <= COLUMNS_MAX).then_some(tasks)
}

fn row(report: &Report, event: &Event, columns: Option<&[usize]>) -> Vec<Cell> {
    let mut row = vec![Cell::new(time(event.time_ns)), Cell::new(event.step)];
    match columns {
        Some(columns) => {
            row.extend(columns.iter().map(|task| Cell::new(if *task == event.task { &event.text } else { "" })))
        }
        None => row.extend([Cell::new(name(report, event.task)), Cell::new(&event.text)]),
    }
    row.push(Cell::new(brief(&event.source)));
    row
}

/// The name of a task; a number if it has none.
fn name(report: &Report, task: usize) -> String {
    report.tasks.get(task).filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| format!("task {task}"))
}

/// A time in its largest unit, with three digits after the point.
fn time(now_ns: u64) -> String {
    let (unit_ns, unit) = match now_ns {
        0..1_000 => (1, "ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    if now_ns == 0 {
        return String::from("0");
    }
    match now_ns % unit_ns * 1_000 / unit_ns {
        0 => format!("{}{unit}", now_ns / unit_ns),
        rest => format!("{}.{rest:03}{unit}", now_ns / unit_ns),
    }
}

/// A source location, narrow enough for a column. The folders between the first and the file are left out, and if that
/// is not enough, the first as well.
fn brief(source: &str) -> String {
    let place = short_path(source);
    let parts: Vec<&str> = place.split('/').collect();
    let &[first, .., last] = parts.as_slice() else { return place.to_owned() };
    let candidates = [place.to_owned(), format!("{first}/../{last}")];
    let fitting = candidates.into_iter().find(|candidate| candidate.len() <= SOURCE_MAX);
    fitting.unwrap_or_else(|| format!("../{last}"))
}

/// A source location, or a frame of a stack (`name at path`), without the folders in which cargo and rustup keep
/// sources.
pub(crate) fn short(text: &str) -> String {
    match text.rsplit_once(" at ") {
        Some((name, path)) => format!("{name} at {}", short_path(path)),
        None => short_path(text).to_owned(),
    }
}

fn short_path(path: &str) -> &str {
    // `…/registry/src/INDEX/crate-1.0.0/src/lib.rs:1`
    if let Some((_, rest)) = path.split_once("/registry/src/").and_then(|(_, rest)| rest.split_once('/')) {
        return rest;
    }
    // `/rustc/HASH/library/std/src/…`, and the same files where rustup has put them.
    let library = ["/rustc/", "/rustlib/src/rust/"].into_iter().find_map(|mark| path.split_once(mark));
    library.and_then(|(_, rest)| rest.split_once("library/")).map_or(path, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(tasks: usize, events: usize) -> Report {
        let event = |nth: usize| Event {
            time_ns: 20 * nth as u64,
            step: nth as u64,
            task: nth % tasks,
            text: format!("compare_exchange AtomicUsize#{nth} with a text that is too long for one line of its column"),
            source: format!("src/lib.rs:{nth}"),
        };
        let tasks = (0..tasks).map(|nth| format!("worker {nth}")).collect();
        Report { tasks, events: (0..events).map(event).collect(), ..Report::default() }
    }

    #[test]
    fn a_table_is_no_wider_than_a_page_for_any_number_of_tasks() {
        for tasks in 1..12 {
            let table = render(&report(tasks, 30), Rows::Folded);
            let widest = table.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= usize::from(WIDTH), "{widest} columns for {tasks} tasks:\n{table}");
            assert!(table.contains(&format!("worker {}", tasks - 1)), "{table}");
        }
    }

    #[test]
    fn a_long_table_is_folded_and_a_full_one_is_not() {
        let report = report(2, 300);
        let folded = render(&report, Rows::Folded);
        assert!(folded.contains("260 rows left"), "{folded}");
        assert!(folded.contains("src/lib.rs:7 ") && !folded.contains("src/lib.rs:8 "), "{folded}");
        assert!(folded.contains("src/lib.rs:299") && !folded.contains("src/lib.rs:267 "), "{folded}");
        let full = render(&report, Rows::All);
        assert!((0..300).all(|nth| full.contains(&format!("src/lib.rs:{nth} "))));
    }

    #[test]
    fn a_run_without_events_has_no_table_and_an_unknown_task_a_number() {
        assert_eq!(render(&Report::default(), Rows::All), "");
        let mut report = report(1, 1);
        report.tasks.clear();
        assert!(render(&report, Rows::All).contains("task 0"));
    }

    #[test]
    fn a_time_and_a_place_are_short() {
        let times = [0, 7, 1_500, 2_000, 3_000_000, 1_000_001_000_038].map(time);
        assert_eq!(times, ["0", "7ns", "1.500us", "2us", "3ms", "1000.001s"]);
        let place = "/h/.cargo/registry/src/i/parking_lot_core-0.9.12/src/thread_parker/linux.rs:65";
        assert_eq!(brief(place), "../linux.rs:65");
        assert_eq!(brief(&place.replace("parking_lot_core", "tokio")), "tokio-0.9.12/../linux.rs:65");
        assert_eq!(brief("tests/some/thing.rs:1"), "tests/some/thing.rs:1");
    }

    #[test]
    fn a_source_line_is_told_without_the_folders_of_cargo_and_rustup() {
        let registry =
            "/home/a/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/tokio-1.54.1/src/sync/oneshot.rs:1";
        assert_eq!(short(registry), "tokio-1.54.1/src/sync/oneshot.rs:1");
        assert_eq!(short("/rustc/5980/library/std/src/sync/mutex.rs:9"), "std/src/sync/mutex.rs:9");
        assert_eq!(short("src/lib.rs:12"), "src/lib.rs:12");
        assert_eq!(short(&format!("send at {registry}")), "send at tokio-1.54.1/src/sync/oneshot.rs:1");
        assert_eq!(short("look at that"), "look at that");
    }
}
