//! A finding as it is told to a person: what happened, the line that replays it, and the shortest interleaving.
//!
//! The execution that a search stumbles on is long, and most of it has nothing to do with the finding. So the table that
//! is shown is that of the shrunk case, while facts, seed and replay line are of the execution that was found: it needs
//! no file to be replayed.

use std::fmt::Write;

use sim::explore::{Case, Failure};
use sim::replay::{ShrinkLimits, Shrunk, shrink};

/// The smallest case that violates the failure's property; none if the schedule is not ours to change, as under loom and
/// on real threads.
pub fn shortest(case: &Case, failure: &Failure, limits: ShrinkLimits) -> Option<Shrunk> {
    failure.origin.engine.is_scheduled().then(|| shrink(case, failure, limits)).flatten()
}

/// The whole text of a failure, with the table of the shortest case in place of its own where there is one; ends without
/// a line break. An empty table is left out.
pub fn text(failure: &Failure, shortest: Option<&str>) -> String {
    let Some(table) = shortest else { return failure.to_string().trim_end().to_owned() };
    let head = Failure { table: String::new(), ..failure.clone() };
    let mut text = head.to_string();
    if !table.is_empty() {
        // A write to a text cannot fail.
        let _ = write!(text, "the shortest interleaving found:\n{table}");
    }
    text.truncate(text.trim_end().len());
    text
}
