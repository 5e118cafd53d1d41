//! Recorded files: scripts with the original's observations.
//!
//! ```text
//! @ NAME
//! STEP <tab> SEEN
//! ```
//!
//! An empty line ends a script. The text of a step and its observation may be empty.

use std::fmt::Write;

use super::{Error, Outcome, Step};

/// A script and its real outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded<T> {
    /// The seed that the script was generated from.
    pub name: String,
    /// The steps.
    pub script: Vec<T>,
    /// The original's observation at each step.
    pub real: Outcome,
}

/// Reads a file.
///
/// # Errors
/// If a line is malformed; the error names the first such line.
pub fn read<T: Step>(text: &str) -> Result<Vec<Recorded<T>>, Error> {
    let mut all: Vec<Recorded<T>> = Vec::new();
    let mut is_open = false;
    for (nth, line) in text.lines().enumerate() {
        let bad = |message: String| Error::Recorded { line: nth + 1, message };
        if let Some(name) = line.strip_prefix("@ ") {
            all.push(Recorded { name: name.to_owned(), script: Vec::new(), real: Vec::new() });
            is_open = true;
        } else if line.is_empty() {
            is_open = false;
        } else {
            let recorded = all.last_mut().filter(|_| is_open);
            let recorded = recorded.ok_or_else(|| bad(format!("`{line}` belongs to no script")))?;
            let (step, seen) = line.split_once('\t').ok_or_else(|| bad(format!("`{line}` has no tab")))?;
            recorded.script.push(step.parse().map_err(bad)?);
            recorded.real.push(seen.to_owned());
        }
    }
    Ok(all)
}

/// A script and its outcome, in the format of the file.
pub fn write<T: Step>(recorded: &Recorded<T>) -> String {
    let mut text = format!("@ {}\n", recorded.name);
    for (step, seen) in recorded.script.iter().zip(&recorded.real) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{step}\t{seen}");
    }
    text.push('\n');
    text
}
