//! What a scenario says must happen, as data, and whether it did.
//!
//! An expectation is about a variant: it stays clean, or it violates one named property. For a defect it also says which
//! engines *must* find it. Shuttle must, always; loom must only where the scenario says so, since its small plan may not
//! hold the defect at all. On any other engine a defect may be found or not (real threads prove nothing), but if
//! something is found there it must still be that property: a defect that breaks another rule than the one it is named
//! for is a finding of its own.

use sim::explore::{Engine, Report, Verdict};

/// What must come of exploring a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No property is violated on any schedule.
    Clean,
    /// Some schedule violates exactly this property, and no schedule another.
    Violation {
        /// The property's sentence, as a failure names it.
        property: &'static str,
    },
}

/// A variant of a scenario's model, and what must come of exploring it.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The variant's name, in snake case.
    pub variant: &'static str,
    /// What must come of it.
    pub expect: Expect,
    /// The engines that must find the violation; empty where the variant is clean.
    pub(crate) found_by: Vec<Engine>,
}

impl Expectation {
    /// That `variant` stays clean.
    pub fn clean(variant: &'static str) -> Expectation {
        Expectation { variant, expect: Expect::Clean, found_by: Vec::new() }
    }

    /// Whether a hunt explores this variant on `engine` without being asked to: clean variants everywhere the case runs
    /// except on real threads, defects where they must be found.
    pub fn is_hunted_on(&self, engine: Engine) -> bool {
        match self.expect {
            Expect::Clean => engine != Engine::Threads,
            Expect::Violation { .. } => self.found_by.contains(&engine),
        }
    }

    /// Whether `report`, from exploring this variant on `engine`, is what the scenario says.
    ///
    /// No schedule at all is never as expected, since nothing was looked at; nor is a run that differs from itself.
    pub fn is_met_by(&self, engine: Engine, report: &Report) -> bool {
        match &report.verdict {
            Verdict::Clean => report.schedules > 0 && self.is_met_by_finding(engine, None),
            Verdict::Violation(failure) => self.is_met_by_finding(engine, Some(&failure.property)),
            Verdict::Diverged { .. } | Verdict::Broken { .. } | Verdict::Misused { .. } => false,
        }
    }

    fn is_met_by_finding(&self, engine: Engine, found: Option<&str>) -> bool {
        match (self.expect, found) {
            (Expect::Clean, found) => found.is_none(),
            (Expect::Violation { property }, Some(found)) => found == property,
            (Expect::Violation { .. }, None) => !self.found_by.contains(&engine),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROPERTY: &str = "nng_msg is released once";

    #[track_caller]
    fn check(expect: Expect, found_by: &[Engine], engine: Engine, found: Option<&str>, met: bool) {
        let expectation = Expectation { variant: "some", expect, found_by: found_by.to_vec() };
        assert_eq!(expectation.is_met_by_finding(engine, found), met);
    }

    #[test]
    fn a_clean_variant_must_be_clean_on_every_engine() {
        for engine in Engine::ALL {
            check(Expect::Clean, &[], engine, None, true);
            check(Expect::Clean, &[], engine, Some(PROPERTY), false);
        }
    }

    #[test]
    fn a_defect_must_be_found_where_the_scenario_says_so_and_may_be_elsewhere() {
        let expect = Expect::Violation { property: PROPERTY };
        check(expect, &[Engine::Shuttle], Engine::Shuttle, None, false);
        check(expect, &[Engine::Shuttle], Engine::Shuttle, Some(PROPERTY), true);
        check(expect, &[Engine::Shuttle], Engine::Threads, None, true);
        check(expect, &[Engine::Shuttle], Engine::Threads, Some(PROPERTY), true);
    }

    #[test]
    fn a_defect_that_breaks_another_rule_is_never_as_expected() {
        let expect = Expect::Violation { property: PROPERTY };
        for engine in Engine::ALL {
            check(expect, &[Engine::Shuttle], engine, Some("no task waits forever"), false);
        }
    }
}
