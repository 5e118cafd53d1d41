//! Whether a model gives an outcome under one of N schedules.
//!
//! A run ends at the first step whose outcome differs from the original's, so most runs are short. The run with the
//! most matching steps is kept for the report.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lastref::explore::{Budget, Case, CaseName, Cell, Engine, Hunt, LoomBudget, Quiet, StrategyName, Verdict};
use proptest::strategy::Just;

use super::{Error, FIXED, Outcome, Subject};

/// The result of exploring a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closest {
    /// Whether some schedule gave the expected outcome.
    pub agrees: bool,
    /// The outcome of the run with the most steps, up to the first step that differs.
    pub outcome: Outcome,
    /// The rule that a variant broke in the step after this outcome, whose steps all agree.
    pub broken: Option<String>,
}

/// Receives the outcome of a model, step by step.
pub struct Seen<'a, T> {
    script: &'a [T],
    real: &'a [String],
    agrees: fn(&T, &str, &str) -> bool,
    outcome: Outcome,
    differs: bool,
    /// The steps that have agreed. Shared with the search, since a run that breaks a rule is abandoned and returns
    /// nothing.
    agreed: &'a Mutex<Outcome>,
}

impl<T> Seen<'_, T> {
    /// Adds the outcome of the next step. False if it is not the expected one: the model then cleans up and returns.
    #[must_use]
    pub fn push(&mut self, seen: String) -> bool {
        let nth = self.outcome.len();
        self.differs = !(self.agrees)(&self.script[nth], &self.real[nth], &seen);
        self.outcome.push(seen);
        if !self.differs {
            self.agreed.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&self.outcome);
        }
        !self.differs
    }

    fn closest(self) -> Closest {
        let agrees = !self.differs && self.outcome.len() == self.real.len();
        Closest { agrees, outcome: self.outcome, broken: None }
    }
}

impl<T> std::fmt::Debug for Seen<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

/// Searches for a schedule under which the model gives the original's outcome. A variant may break a rule, which ends
/// the search.
///
/// # Errors
/// If the fixed model breaks a rule.
pub fn closest<S: Subject>(variant: &str, script: &[S::Step], real: &[String]) -> Result<Closest, Error> {
    let found = Arc::new(Mutex::new(Closest::default()));
    let stop = Arc::new(AtomicBool::new(false));
    let agreed = Arc::new(Mutex::new(Outcome::new()));
    let case = {
        let agreed = Arc::clone(&agreed);
        let (found, stop, variant) = (Arc::clone(&found), Arc::clone(&stop), variant.to_owned());
        let (script, real) = (script.to_owned(), real.to_owned());
        let name = CaseName { component: "conformance".into(), scenario: S::NAME.into(), variant: variant.clone() };
        Case::new(
            name,
            || Just(()),
            move |()| {
                agreed.lock().unwrap_or_else(PoisonError::into_inner).clear();
                let mut seen = Seen {
                    script: &script,
                    real: &real,
                    agrees: S::agrees,
                    outcome: Vec::new(),
                    differs: false,
                    agreed: &agreed,
                };
                S::model(&variant, &script, &mut seen);
                let closest = seen.closest();
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                if closest.agrees || (!found.agrees && closest.outcome.len() > found.outcome.len()) {
                    stop.store(closest.agrees, Ordering::Relaxed);
                    *found = closest;
                }
            },
        )
        .limits(S::limits())
    };
    let budget = Budget::exactly(S::SCHEDULES);
    let hunt = Hunt {
        cells: vec![Cell { case, engine: Engine::Fiber, strategy: StrategyName::RANDOM, budget }],
        seed: 0,
        loom: LoomBudget::at_most(1),
        recheck_percent: 0,
        deadline: None,
        jobs: 1,
        stop: &stop,
        observer: &Quiet,
    };
    for report in hunt.run() {
        match report.verdict {
            Verdict::Clean => {}
            Verdict::Violation(failure) if variant != FIXED => {
                let outcome = agreed.lock().unwrap_or_else(PoisonError::into_inner).clone();
                return Ok(Closest { agrees: false, outcome, broken: Some(failure.violation.property) });
            }
            Verdict::Violation(failure) => return Err(Error::Model(failure.to_string())),
            other => return Err(Error::Model(format!("{other:?}"))),
        }
    }
    let found = found.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(found)
}
