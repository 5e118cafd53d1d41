//! The part of an answer that tells a finding in full.

use std::fmt::Write;

use scenarios::finding;
use sim::replay::Shrunk;

use super::outcome::Outcome;

/// The smallest case of an outcome's finding, if it has one that can be made small.
pub(super) fn shortest(outcome: &Outcome) -> Option<Shrunk> {
    outcome.failure().and_then(|failure| finding::shortest(&outcome.chosen.cell.case, failure))
}

/// The finding in full, and where it was saved; empty if there is none.
pub(super) fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    if let Some(failure) = outcome.failure() {
        let _ = writeln!(text, "{}", finding::text(failure, outcome.shortest.as_deref()));
        if let Some(path) = &outcome.repro {
            let _ = writeln!(text, "saved: {}", path.display());
        }
        text.push('\n');
    }
    text
}
