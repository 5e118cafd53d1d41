//! Named properties of a run: `always`, `sometimes`, `eventually`.
//!
//! A property is a sentence. `always` is checked where it is called, `eventually` at quiescence. `sometimes` names a
//! rare state that at least one run of a search must reach: a search that never reaches it has not tested that state.

use std::collections::BTreeMap;
use std::panic::Location;

use kernel::record::{Item, RunNumber, Violation};

use crate::session::{self, with_log, with_run};

/// The `sometimes` and `eventually` of one run.
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

/// Checks a property: if `holds` is false, the run ends here with a finding named by `sentence`.
#[track_caller]
pub fn always(sentence: &'static str, holds: bool) {
    always_with(sentence, holds, Vec::new);
}

/// Like [`always`]; `facts` is called only if the property does not hold, and its labels and values are added to the
/// finding.
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

/// Counts this run among those that reached the state `sentence`, if `reached` is true.
pub fn sometimes(sentence: &'static str, reached: bool) {
    if reached {
        with_run(|run| {
            *run.checks.properties.sometimes.entry(sentence).or_insert(0) = 1;
        });
    } else {
        session::note_unreached(sentence);
    }
}

/// A property that must become true before quiescence.
#[derive(Clone, Copy, Debug)]
#[must_use = "without a call of `reached` the property fails at quiescence"]
pub struct Eventually {
    index: Option<usize>,
    /// The run that requires it. In another run the index is that of another property, or of none.
    run: RunNumber,
}

/// Requires a call of [`Eventually::reached`] before quiescence; without it the run has a finding named by `sentence`.
pub fn eventually(sentence: &'static str) -> Eventually {
    let index = with_run(|run| {
        let eventually = &mut run.checks.properties.eventually;
        eventually.push((sentence, false));
        eventually.len() - 1
    });
    Eventually { index, run: session::number() }
}

impl Eventually {
    /// Marks the property as true. In a run other than the one that requires the property it has no effect.
    pub fn reached(self) {
        if let Some(index) = self.index.filter(|_| self.run == session::number()) {
            with_run(|run| run.checks.properties.eventually[index].1 = true);
        }
    }
}
