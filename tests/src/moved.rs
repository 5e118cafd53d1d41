//! The change of a snapshot, in a few sentences: rows that moved to another task, new rows, removed rows, and rows that
//! changed their position in the order or their time. If most rows differ, the finding has another interleaving, whose
//! single rows say little; then only their number is given.
//!
//! A line diff of a table shows every row whose width changed. The sentences name only rows whose event, task or
//! position differs.

use std::collections::BTreeMap;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// The last column of a table with a column that names the task.
const EVENT: &str = "event";

/// The most rows that a sentence quotes.
const QUOTED: usize = 2;

/// Fewer rows that differ are named, even if the table has no others.
const DIFFERING: usize = 3;

/// The difference between one row of the old table and the new one. Sentences are in the order of the declaration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// The event is the same, in another task.
    Moved {
        from: String,
        to: String,
    },
    New(String),
    Gone(String),
    Earlier(String),
    Later(String),
}

/// One event: its task, which is empty outside a table, and its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Row {
    task: String,
    text: String,
}

/// The sentences; none if the two texts are equal.
pub fn moved(old: &str, new: &str) -> Vec<String> {
    if old == new {
        return Vec::new();
    }
    let ((old, old_times), (new, new_times)) = (rows(old), rows(new));
    let ops = capture_diff_slices(Algorithm::Patience, &old, &new);
    let mut changes: BTreeMap<Change, Vec<String>> = BTreeMap::new();
    for (change, text) in changes_of(&old, &new, &ops) {
        changes.entry(change).or_default().push(text);
    }
    let is_of_old = |change: &&Change| matches!(change, Change::Moved { .. } | Change::Gone(_)) && !change.is_outside();
    let differing: usize = changes.iter().filter(|(change, _)| is_of_old(change)).map(|(_, texts)| texts.len()).sum();
    let all = old.iter().filter(|row| !row.task.is_empty()).count();
    let mut sentences = Vec::new();
    if differing >= DIFFERING && differing * 2 > all {
        sentences.push(format!("another interleaving: {differing} of {all} rows differ"));
        changes.retain(|change, _| change.is_outside());
    }
    sentences.extend(changes.iter().map(|(change, texts)| sentence(change, texts)));
    match retimed(&old_times, &new_times, &ops) {
        0 => {}
        1 => sentences.push(String::from("another time: 1 row")),
        count => sentences.push(format!("another time: {count} rows")),
    }
    if sentences.is_empty() {
        sentences.push(String::from("only the number of folded rows"));
    }
    sentences
}

/// The number of rows that have only another time.
fn retimed(old_times: &[String], new_times: &[String], ops: &[DiffOp]) -> usize {
    let same = ops.iter().filter(|op| matches!(op, DiffOp::Equal { .. }));
    let pairs = same.flat_map(|op| op.old_range().zip(op.new_range()));
    pairs.filter(|(before, after)| old_times[*before] != new_times[*after]).count()
}

impl Change {
    /// Whether it is of a line outside the table.
    fn is_outside(&self) -> bool {
        match self {
            Change::Moved { from, .. } => from.is_empty(),
            Change::New(task) | Change::Gone(task) | Change::Earlier(task) | Change::Later(task) => task.is_empty(),
        }
    }
}

fn sentence(change: &Change, texts: &[String]) -> String {
    let of = |task: &String| if task.is_empty() { String::new() } else { format!(" in {task}") };
    let what = match change {
        Change::Moved { from, to } => format!("moved from {from} to {to}"),
        Change::New(task) => format!("new{}", of(task)),
        Change::Gone(task) => format!("gone{}", of(task)),
        Change::Earlier(task) => format!("earlier{}", of(task)),
        Change::Later(task) => format!("later{}", of(task)),
    };
    let quoted: Vec<String> = texts.iter().take(QUOTED).map(|text| format!("`{text}`")).collect();
    let others = if texts.len() > QUOTED { format!(" and {} more", texts.len() - QUOTED) } else { String::new() };
    format!("{what}: {}{others}", quoted.join(", "))
}

fn changes_of(old: &[Row], new: &[Row], ops: &[DiffOp]) -> Vec<(Change, String)> {
    let mut gone: Vec<(usize, &Row)> = Vec::new();
    let mut come: Vec<(usize, &Row)> = Vec::new();
    for op in ops {
        if !matches!(op, DiffOp::Equal { .. }) {
            gone.extend(op.old_range().map(|nth| (nth, &old[nth])));
            come.extend(op.new_range().map(|nth| (nth, &new[nth])));
        }
    }
    // Whole rows first, so that a row that only moved within its task is not paired with another task's.
    let mut changes = pairs(
        &mut gone,
        &mut come,
        |was, is| was == is,
        |(before, was), (after, _)| match before < after {
            true => Change::Later(was.task.clone()),
            false => Change::Earlier(was.task.clone()),
        },
    );
    changes.extend(pairs(
        &mut gone,
        &mut come,
        |was, is| was.text == is.text,
        |(_, was), (_, is)| Change::Moved { from: was.task.clone(), to: is.task.clone() },
    ));
    changes.extend(come.into_iter().map(|(_, row)| (Change::New(row.task.clone()), row.text.clone())));
    changes.extend(gone.into_iter().map(|(_, row)| (Change::Gone(row.task.clone()), row.text.clone())));
    changes
}

/// Removes the pairs that match, and returns the change of each.
fn pairs<'a>(
    gone: &mut Vec<(usize, &'a Row)>,
    come: &mut Vec<(usize, &'a Row)>,
    fits: impl Fn(&Row, &Row) -> bool,
    change: impl Fn((usize, &Row), (usize, &Row)) -> Change,
) -> Vec<(Change, String)> {
    let mut changes = Vec::new();
    gone.retain(|was| {
        let Some(nth) = come.iter().position(|is| fits(was.1, is.1)) else { return true };
        changes.push((change(*was, come.remove(nth)), was.1.text.clone()));
        false
    });
    changes
}

/// The events of a table with their times, and the other lines as rows without a task and a time.
fn rows(text: &str) -> (Vec<Row>, Vec<String>) {
    let mut edges: Vec<usize> = Vec::new();
    let mut heads: Vec<String> = Vec::new();
    let (mut rows, mut times) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line.starts_with("+=") {
            // The line below the head has no corners between columns.
        } else if line.starts_with('+') {
            edges = line.chars().enumerate().filter(|(_, letter)| *letter == '+').map(|(at, _)| at).collect();
        } else if line.starts_with('|') {
            let cells = cells(line, &edges);
            match heads.is_empty() {
                true => heads = cells,
                false => {
                    if let Some(row) = row(&heads, &cells) {
                        rows.push(row);
                        let time = heads.iter().zip(&cells).find(|(head, _)| *head == "time");
                        times.push(time.map(|(_, time)| time.clone()).unwrap_or_default());
                    }
                }
            }
        } else {
            rows.push(Row { task: String::new(), text: line.to_owned() });
            times.push(String::new());
        }
    }
    (rows, times)
}

/// The cells between the columns at which the frame has its corners: an event may itself contain a `|`.
fn cells(line: &str, edges: &[usize]) -> Vec<String> {
    let letters: Vec<char> = line.chars().collect();
    let cell = |pair: &[usize]| letters.get(pair[0] + 1..pair[1]).unwrap_or_default().iter().collect::<String>();
    edges.windows(2).map(|pair| cell(pair).trim().to_owned()).collect()
}

/// The event of a table's row; `None` for a row that only states the number of folded rows.
fn row(heads: &[String], cells: &[String]) -> Option<Row> {
    let time = heads.iter().position(|head| head == "time")?;
    let mut events = heads.iter().zip(cells).skip(time + 1).filter(|(_, cell)| !cell.is_empty());
    match (heads, cells) {
        ([.., event], [.., task, text]) if event == EVENT => {
            (!text.is_empty()).then(|| Row { task: task.clone(), text: text.clone() })
        }
        _ => events.next().map(|(task, text)| Row { task: task.clone(), text: text.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "\
        context_pool/scenario/variant\n\
        +---+------+------------+------------+\n\
        |   | time | main       | nng:task.0 |\n\
        +====================================+\n\
        |   | 0    | open       |            |\n\
        |   | 0    | callback   |            |\n\
        | > | 1s   |            | close      |\n\
        +---+------+------------+------------+\n\
        a leak\n";

    #[track_caller]
    fn check(change: impl Fn(&str) -> String, sentences: &str) {
        assert_eq!(moved(OLD, &change(OLD)).join("; "), sentences);
    }

    #[test]
    fn a_row_in_another_task_has_moved() {
        let other = "|   | 0    |            | callback   |";
        check(
            |old| old.replace("|   | 0    | callback   |            |", other),
            "moved from main to nng:task.0: `callback`",
        );
    }

    #[test]
    fn rows_are_new_gone_or_in_another_place_of_the_order() {
        check(|old| old.replace("| callback   |", "| call       |"), "new in main: `call`; gone in main: `callback`");
        check(|old| old.replace("close", "open "), "new in nng:task.0: `open`; gone in nng:task.0: `close`");
        let swapped = |old: &str| {
            let lines: Vec<&str> = old.lines().collect();
            let order = [0, 1, 2, 3, 5, 6, 4, 7, 8];
            order.map(|nth| lines[nth]).join("\n") + "\n"
        };
        check(swapped, "later in main: `open`");
        check(|old| old.replace("a leak", "a double free"), "new: `a double free`; gone: `a leak`");
    }

    #[test]
    fn several_rows_of_one_change_are_one_sentence() {
        let more = |text: &str| format!("|   | 0    | open       |            |\n{text}");
        let rows = ["call", "done", "free"].map(|text| format!("|   | 0    | {text}       |            |\n")).concat();
        check(|old| old.replace(&more(""), &more(&rows)), "new in main: `call`, `done` and 1 more");
    }

    #[test]
    fn a_table_whose_rows_mostly_differ_is_another_interleaving() {
        let event = |old: &str| old.replace("callback", "call    ").replace("open", "shut").replace("close", "stop ");
        let other = |old: &str| event(old).replace("leak", "stall");
        check(other, "another interleaving: 3 of 3 rows differ; new: `a stall`; gone: `a leak`");
    }

    #[test]
    fn a_change_of_width_or_time_is_no_change_of_a_row() {
        check(|old| old.replace("| 1s  ", "| 2s  "), "another time: 1 row");
        check(|old| old.replace(" callback  ", "  callback "), "only the number of folded rows");
        check(str::to_owned, "");
    }

    #[test]
    fn a_table_may_name_the_task_in_a_column() {
        let table = |task: &str| {
            let frame = "+--------+------+-------+\n";
            format!(
                "{frame}| time   | task | event |\n{frame}| 3 rows |      |       |\n| 0      | {task}    | x | y |\n{frame}"
            )
        };
        assert_eq!(moved(&table("a"), &table("b")), ["moved from a to b: `x | y`"]);
    }

    #[test]
    fn lines_outside_tables_are_rows() {
        assert_eq!(moved("A -> B\nB -> C\n", "A -> B\nB -> D\n"), ["new: `B -> D`", "gone: `B -> C`"]);
    }
}
