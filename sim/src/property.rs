//! Named properties of a run: `always`, `sometimes`, `eventually`.
//!
//! A property is a sentence. `always` is broken at the moment it does not hold; `eventually` at quiescence; `sometimes`
//! is a rare state that an experiment has to reach in some run, or it has proven nothing.

use std::collections::BTreeMap;
use std::panic::Location;

use kernel::record::{Item, Violation};

use crate::session::{self, with_log, with_run};

/// The sentences that a run has to reach.
#[derive(Debug, Default)]
pub(crate) struct Properties {
    sometimes: BTreeMap<&'static str, u64>,
    eventually: Vec<(&'static str, bool)>,
}

impl Properties {
    pub(crate) fn at_quiescence(&self) -> Option<Violation> {
        let (sentence, _) = self.eventually.iter().find(|(_, reached)| !reached)?;
        Some(Violation::of_property(sentence, format!("the run ended and `{sentence}` never came true")))
    }

    pub(crate) fn reached(self) -> BTreeMap<&'static str, u64> {
        self.sometimes
    }
}

/// The sentence must hold whenever this is reached; if it does not, the run ends here with that finding.
#[track_caller]
pub fn always(sentence: &'static str, holds: bool) {
    always_with(sentence, holds, Vec::new);
}

/// Like [`always`], with facts that are gathered only when the sentence does not hold.
#[track_caller]
pub fn always_with(sentence: &'static str, holds: bool, facts: impl FnOnce() -> Vec<(&'static str, String)>) {
    if holds {
        return;
    }
    let location = Location::caller();
    let mut violation = Violation::of_property(sentence, format!("`{sentence}` does not hold"));
    for (label, value) in facts() {
        violation = violation.fact(label, value);
    }
    let here = with_log(|log| {
        log.record(Item::Note(format!("BROKEN: {sentence}").into_boxed_str()), location);
        log.here(location)
    });
    session::fail(violation.fact("here", here.unwrap_or_default()));
}

/// Counts the run as one that reached the state, if it did.
pub fn sometimes(sentence: &'static str, reached: bool) {
    if reached {
        with_run(|run| {
            *run.checks.properties.sometimes.entry(sentence).or_insert(0) = 1;
        });
    } else {
        session::asks(sentence);
    }
}

/// Something that must have come true by quiescence.
#[derive(Clone, Copy, Debug)]
#[must_use = "an obligation that nobody can fulfil fails every run"]
pub struct Eventually {
    index: Option<usize>,
}

/// Obliges the run to call [`Eventually::reached`] before its end.
pub fn eventually(sentence: &'static str) -> Eventually {
    let index = with_run(|run| {
        let eventually = &mut run.checks.properties.eventually;
        eventually.push((sentence, false));
        eventually.len() - 1
    });
    Eventually { index }
}

impl Eventually {
    /// It has come true.
    pub fn reached(self) {
        if let Some(index) = self.index {
            with_run(|run| run.checks.properties.eventually[index].1 = true);
        }
    }
}
