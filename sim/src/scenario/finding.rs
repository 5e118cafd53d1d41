//! The text of a finding: the facts, and the lines that replay and shrink it.
//!
//! The execution that a search finds is long, and most of it has nothing to do with the finding. So the table shows the
//! shrunk case. Facts, seed and replay line are those of the original execution, which can be replayed without a file.

use std::fmt::Write;

use crate::explore::{Failure, Replay};

/// The argument of the commands `replay` and `shrink` for an execution.
pub fn argument(replay: &Replay) -> String {
    match replay {
        Replay::Token(token) => token.to_string(),
        Replay::File(path) => path.display().to_string(),
        Replay::Test { name, .. } => name.clone(),
    }
}

/// The text of a failure above its table: what happened, and the lines that replay and shrink it. `program` is the
/// program to type, which has the commands `replay` and `shrink`.
pub fn head(program: &str, failure: &Failure) -> String {
    let argument = argument(&failure.replay);
    let mut text = failure.head();
    // A write to a text cannot fail.
    let _ = writeln!(text, "replay: {program} replay {argument}");
    if failure.origin.engine.is_scheduled() {
        let _ = writeln!(text, "shrink: {program} shrink {argument}");
    }
    text
}

/// The whole text of a failure, with the lines for `program`; ends without a line break. The table of the shortest
/// case, if there is one, replaces the failure's own. An empty table is left out.
pub fn text(program: &str, failure: &Failure, shortest: Option<&str>) -> String {
    let mut text = head(program, failure);
    match shortest {
        None => text.push_str(&failure.table),
        Some("") => {}
        Some(table) => {
            let _ = write!(text, "the shortest interleaving found:\n{table}");
        }
    }
    text.truncate(text.trim_end().len());
    text
}
