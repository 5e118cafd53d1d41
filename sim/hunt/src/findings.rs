//! Shows findings in full, and shrinks and saves them.
//!
//! An unexpected finding is shrunk and saved at once, because it may not be found again. A hunt does so only for the
//! first few: a model with a fundamental bug fails in hundreds of cells for one reason, and shrinking a finding takes
//! as long as the search for it. The others have a token for `shrink`.

use std::fmt::Write;
use std::path::Path;

use lastref::replay::{ShrinkLimits, Shrunk, shrink};
use lastref::scenario::{Judgement, finding};

use super::error::Error;
use super::outcome::Outcome;
use super::terminal::Look;

/// The number of findings of a hunt that are shrunk, saved, and shown in full.
pub(super) const SHOWN: usize = 5;

/// The smallest case of an outcome's finding, if it can be shrunk within these limits.
pub(super) fn shortest(outcome: &Outcome, limits: ShrinkLimits) -> Option<Shrunk> {
    outcome.failure().and_then(|failure| shrink(&outcome.chosen.cell.case, failure, limits))
}

/// Shrinks the first unexpected findings, and saves them in `folder`. Stops when `stop` returns true.
///
/// All findings share the budget of one, so that a hunt ends soon after its last run, however many findings it has.
pub(super) fn save_the_unexpected(
    outcomes: &mut [Outcome],
    folder: &Path,
    stop: impl Fn() -> bool,
) -> Result<(), Error> {
    let shown = outcomes.iter().filter(|outcome| is_unexpected(outcome)).count().clamp(1, SHOWN) as u32;
    let whole = ShrinkLimits::default();
    let (runs_max, steps_max) = (whole.runs_max / shown, whole.steps_max / u64::from(shown));
    let limits = ShrinkLimits { runs_max, steps_max, ..whole };
    let unexpected = outcomes.iter_mut().filter(|outcome| is_unexpected(outcome));
    for outcome in unexpected.take(SHOWN).take_while(|_| !stop()) {
        if let Some(shrunk) = shortest(outcome, limits) {
            outcome.shortest = Some(shrunk.report.table);
            outcome.repro = Some(shrunk.repro.save(folder)?);
        }
    }
    Ok(())
}

fn is_unexpected(outcome: &Outcome) -> bool {
    outcome.failure().is_some() && outcome.judgement() != Judgement::AsExpected
}

/// The finding in full, and the path of the saved file; empty if there is no finding.
pub(super) fn text(program: &str, outcome: &Outcome) -> String {
    let mut text = String::new();
    if let Some(failure) = outcome.failure() {
        // The table of an unshrunk run that could be shrunk is far too long: `replay` shows it.
        let is_long = failure.origin.engine.is_scheduled() && outcome.shortest.is_none();
        let table = if is_long { Some("") } else { outcome.shortest.as_deref() };
        let _ = writeln!(text, "{}", finding::text(program, failure, table));
        if let Some(path) = &outcome.repro {
            let _ = writeln!(text, "saved: {}", path.display());
        }
        text.push('\n');
    }
    text
}

/// The unexpected results of a hunt: the defects that were not found, the first findings in full, and two lines for
/// each other finding. Empty if there are none.
pub(super) fn unexpected(program: &str, outcomes: &[Outcome], look: Look) -> String {
    let (found, missed): (Vec<&Outcome>, Vec<&Outcome>) = outcomes
        .iter()
        .filter(|outcome| outcome.judgement() == Judgement::NotAsExpected)
        .partition(|outcome| outcome.failure().is_some());
    let mut text = String::new();
    if found.len() + missed.len() > 0 {
        let _ = writeln!(text, "\n{}\n", look.alarm("Not as expected:"));
    }
    for outcome in missed {
        let _ = writeln!(text, "{}: {}, {}", outcome.name(), look.alarm(&outcome.verdict()), outcome.schedules());
    }
    let (shown, others) = found.split_at(found.len().min(SHOWN));
    text.extend(shown.iter().map(|outcome| self::text(program, outcome)));
    if !others.is_empty() {
        let count = others.len();
        let _ = writeln!(text, "{count} more findings; `{program} shrink TOKEN` shows and saves the smallest case:");
        for outcome in others {
            let _ = writeln!(text, "{}: {}", outcome.name(), outcome.verdict());
            let _ = writeln!(text, "  {}", outcome.token().unwrap_or_default());
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{clean, violation};

    #[test]
    fn the_first_findings_are_made_small_and_the_others_keep_their_tokens() {
        let folder = tempfile::tempdir().expect("a folder for scratch files");
        let mut outcomes = vec![violation(); SHOWN + 3];
        outcomes.insert(1, clean(2_000));
        save_the_unexpected(&mut outcomes, folder.path(), || false).expect("the folder can be written");
        let saved = outcomes.iter().filter(|outcome| outcome.repro.is_some() && outcome.shortest.is_some()).count();
        assert_eq!(saved, SHOWN);
        let text = unexpected("pool", &outcomes, Look::OF_FILE);
        assert_eq!(text.matches("the shortest interleaving found").count(), SHOWN, "{text}");
        let (_, others) = text.split_once("3 more findings; `pool shrink TOKEN`").expect("the others are announced");
        let token = outcomes[0].token().expect("a finding has a token");
        assert_eq!(others.matches(&token).count(), 3, "{others}");
    }

    #[test]
    fn nothing_is_made_small_after_a_signal_and_the_finding_is_told_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder for scratch files");
        let mut outcomes = vec![violation()];
        save_the_unexpected(&mut outcomes, folder.path(), || true).expect("nothing is written");
        assert_eq!(outcomes[0].repro, None);
        let text = unexpected("pool", &outcomes, Look::OF_FILE);
        let token = outcomes[0].token().expect("a finding has a token");
        assert!(text.contains("does not hold") && text.contains(&format!("pool shrink {token}")), "{text}");
        assert!(text.lines().count() < 30, "without the table of a run that is not small:\n{text}");
    }

    #[test]
    fn what_is_as_expected_is_not_told() {
        assert_eq!(unexpected("pool", &[clean(2_000), clean(5)], Look::OF_FILE), "");
    }
}
