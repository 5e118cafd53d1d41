//! The change of a snapshot, in a few sentences: rows that moved to another task, new rows, removed rows, and rows that
//! changed their position in the order.
//!
//! A line diff of a table shows every row whose width changed. The sentences name only rows whose event, task or
//! position differs.

use std::collections::BTreeMap;

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// The last column of a table with a column that names the task.
const EVENT: &str = "event";

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

/// The sentences, separated by semicolons; empty if the two texts are equal.
pub fn moved(old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let mut changes: BTreeMap<Change, Vec<String>> = BTreeMap::new();
    for (change, text) in changes_of(&rows(old), &rows(new)) {
        changes.entry(change).or_default().push(text);
    }
    if changes.is_empty() {
        return String::from("only times or the number of folded rows");
    }
    changes.iter().map(|(change, texts)| sentence(change, texts)).collect::<Vec<String>>().join("; ")
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
    match texts {
        [first, rest @ ..] if !rest.is_empty() => format!("{what}: `{first}` and {} more", rest.len()),
        _ => format!("{what}: `{}`", texts.concat()),
    }
}

fn changes_of(old: &[Row], new: &[Row]) -> Vec<(Change, String)> {
    let mut gone: Vec<(usize, &Row)> = Vec::new();
    let mut come: Vec<(usize, &Row)> = Vec::new();
    for op in capture_diff_slices(Algorithm::Patience, old, new) {
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

/// The events of a table, and the other lines as rows without a task.
fn rows(text: &str) -> Vec<Row> {
    let mut edges: Vec<usize> = Vec::new();
    let mut heads: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for line in text.lines() {
        if line.starts_with("+=") {
            // The line below the head has no corners between columns.
        } else if line.starts_with('+') {
            edges = line.chars().enumerate().filter(|(_, letter)| *letter == '+').map(|(at, _)| at).collect();
        } else if line.starts_with('|') {
            let cells = cells(line, &edges);
            match heads.is_empty() {
                true => heads = cells,
                false => rows.extend(row(&heads, &cells)),
            }
        } else {
            rows.push(Row { task: String::new(), text: line.to_owned() });
        }
    }
    rows
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
        assert_eq!(moved(OLD, &change(OLD)), sentences);
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
        let two = "|   | 0    | open       |            |\n|   | 0    | callback   |            |\n";
        check(|old| old.replace(two, ""), "gone in main: `open` and 1 more");
    }

    #[test]
    fn a_change_of_width_or_time_is_no_change_of_a_row() {
        check(|old| old.replace("| 1s  ", "| 2s  "), "only times or the number of folded rows");
        check(|old| old.replace(" callback  ", "  callback "), "only times or the number of folded rows");
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
        assert_eq!(moved(&table("a"), &table("b")), "moved from a to b: `x | y`");
    }

    #[test]
    fn lines_outside_tables_are_rows() {
        assert_eq!(moved("A -> B\nB -> C\n", "A -> B\nB -> D\n"), "new: `B -> D`; gone: `B -> C`");
    }
}
