//! The expected verdict of each variant, as data, and the judgement of a search against it.
//!
//! An expectation is about a variant: it stays clean, or it violates one named property. For a defect it also says
//! which engines *must* find it. Every scheduled engine that runs the scenario must; loom must only where the
//! scenario says so, since its small plan may not hold the defect at all. On any other engine a defect may be found
//! or not (real threads prove nothing), but if something is found there it must still be that property: a defect
//! that breaks another rule than the one it is named for is a finding of its own.
//!
//! A search is judged in one of three ways. The third is *undecided*: it found nothing, and its budget was too small
//! for that to count.

use crate::explore::{Budget, Cell, Engine, Report, Verdict};

use super::defaults;

/// The expected verdict of a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No property is violated on any schedule.
    Clean,
    /// Some schedule violates this property, and no schedule violates another.
    Violation {
        /// The property's sentence, as a failure names it.
        property: &'static str,
    },
}

/// The judgement of a search against its scenario's expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The verdict is the expected one.
    AsExpected,
    /// The verdict is not the expected one.
    NotAsExpected,
    /// It found nothing, and its budget is not spent.
    Undecided,
}

impl Judgement {
    /// The name in `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Judgement::AsExpected => "as_expected",
            Judgement::NotAsExpected => "not_as_expected",
            Judgement::Undecided => "undecided",
        }
    }
}

/// A variant of a scenario's model, and its expected verdict.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The variant's name, in snake case.
    pub variant: &'static str,
    /// The expected verdict.
    pub expect: Expect,
    /// The engines that must find the violation; empty where the variant is clean.
    pub(crate) found_by: Vec<Engine>,
    /// The rare states that at least one run must reach; empty for a defect.
    pub rare_states: &'static [&'static str],
    /// Whether a hunt shows this variant's finding in full: [`Scenario::example`](super::Scenario::example).
    pub is_example: bool,
}

impl Expectation {
    /// Expects that `variant` stays clean, with no rare states.
    pub fn clean(variant: &'static str) -> Expectation {
        Expectation { variant, expect: Expect::Clean, found_by: Vec::new(), rare_states: &[], is_example: false }
    }

    /// Whether a hunt explores this variant on `engine` without being asked to. It never explores on an engine that the
    /// features of this build leave out.
    pub fn is_hunted_on(&self, engine: Engine) -> bool {
        engine.is_default() && engine.is_built() && self.is_tested_by(engine)
    }

    /// Whether exploring this variant on `engine` tests anything: clean variants wherever the case runs, defects where
    /// they must be found.
    pub fn is_tested_by(&self, engine: Engine) -> bool {
        match self.expect {
            Expect::Clean => true,
            Expect::Violation { .. } => self.found_by.contains(&engine),
        }
    }

    /// The budget of this variant's cell on `engine`: `asked` schedules, or the default.
    ///
    /// A planted defect that a search below the default budget does not find is undecided. A clean variant needs only
    /// the requested schedules.
    pub fn budget(&self, engine: Engine, asked: Option<u64>) -> Budget {
        let must_be_found = self.found_by.contains(&engine);
        let default = match must_be_found {
            _ if engine.is_exhaustive() => defaults::LOOM.executions,
            true => defaults::SCHEDULES_OF_DEFECT,
            false => defaults::SCHEDULES,
        };
        let most = asked.unwrap_or(default);
        Budget { enough: if must_be_found { most.max(default) } else { most }, most }
    }

    /// Judges `report`, the result of exploring this variant's cell.
    ///
    /// A nondeterministic run is never as expected, nor is a search that the harness could not run.
    pub fn judge(&self, cell: &Cell, report: &Report) -> Judgement {
        let is_met = match &report.verdict {
            Verdict::Clean if !is_spent(cell, report) => return Judgement::Undecided,
            Verdict::Clean => {
                self.is_met_by_finding(cell.engine, None) && self.never_reached(cell.engine, report).is_empty()
            }
            Verdict::Violation(failure) => self.is_met_by_finding(cell.engine, Some(&failure.violation.property)),
            Verdict::Diverged { .. } | Verdict::Broken { .. } | Verdict::Misused { .. } => false,
        };
        if is_met { Judgement::AsExpected } else { Judgement::NotAsExpected }
    }

    /// The rare states that no run of a clean search reached, if its budget requires them: at least the default budget
    /// of a scheduled engine.
    pub fn never_reached(&self, engine: Engine, report: &Report) -> Vec<&'static str> {
        let is_wide = engine.is_scheduled() && report.schedules >= defaults::SCHEDULES;
        if is_wide { self.not_reached(report) } else { Vec::new() }
    }

    /// The rare states that no run of a clean search reached, however narrow it was.
    pub fn not_reached(&self, report: &Report) -> Vec<&'static str> {
        let is_clean = matches!(report.verdict, Verdict::Clean);
        let missing = self.rare_states.iter().filter(|sentence| is_clean && !report.reached.contains_key(**sentence));
        missing.copied().collect()
    }

    fn is_met_by_finding(&self, engine: Engine, found: Option<&str>) -> bool {
        match (self.expect, found) {
            (Expect::Clean, found) => found.is_none(),
            (Expect::Violation { property }, Some(found)) => found == property,
            (Expect::Violation { .. }, None) => !self.found_by.contains(&engine),
        }
    }
}

/// Whether a search without a finding has spent its budget. Zero schedules never suffice. Loom's exploration may be
/// complete before its budget is spent.
fn is_spent(cell: &Cell, report: &Report) -> bool {
    report.schedules > 0 && (report.complete || report.schedules >= cell.budget.enough)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::strategy::Just;

    use super::*;
    use crate::Violation;
    use crate::explore::{Case, CaseName, Failure, Origin, Replay, StrategyName};

    const PROPERTY: &str = "nng_msg is released once";
    const DEFECT: Expect = Expect::Violation { property: PROPERTY };

    fn expectation(expect: Expect, found_by: &[Engine]) -> Expectation {
        Expectation { variant: "some", expect, found_by: found_by.to_vec(), rare_states: &[], is_example: false }
    }

    fn cell(said: &Expectation, engine: Engine, asked: Option<u64>) -> Cell {
        let name = CaseName { component: "none".into(), scenario: "none".into(), variant: said.variant.into() };
        let case = Case::new(name, || Just(()), |(): &()| ());
        Cell { case, engine, strategy: StrategyName::MIX, budget: said.budget(engine, asked) }
    }

    /// The report of `schedules` runs of the cell, the last of which violates `found`.
    fn report(cell: &Cell, schedules: u64, found: Option<&str>) -> Report {
        let failure = |property: &str| Failure {
            violation: Violation::of_property(property, String::new()),
            origin: Origin { case: cell.case.name().clone(), engine: cell.engine, strategy: cell.strategy, seed: 0 },
            step: 1,
            schedule: None,
            trace_hash: 0,
            table: String::new(),
            full_table: String::new(),
            replay: Replay::Test { name: String::new(), shrinks: false },
        };
        Report {
            schedules,
            rechecked: 0,
            steps: 0,
            verdict: found.map_or(Verdict::Clean, |property| Verdict::Violation(Box::new(failure(property)))),
            trace_hash: 0,
            // Of loom it says that the whole space was explored, which none of these was.
            complete: cell.engine != Engine::Loom && (found.is_some() || schedules >= cell.budget.enough),
            preemptions: None,
            reached: BTreeMap::new(),
            faults: Default::default(),
            seconds: 0.0,
            table: String::new(),
            full_table: String::new(),
        }
    }

    #[track_caller]
    fn check(
        said: &Expectation,
        engine: Engine,
        asked: Option<u64>,
        schedules: u64,
        found: Option<&str>,
        is: Judgement,
    ) {
        let cell = cell(said, engine, asked);
        assert_eq!(said.judge(&cell, &report(&cell, schedules, found)), is, "{engine}, {schedules} schedules");
    }

    #[test]
    fn a_clean_variant_must_be_clean_on_every_engine() {
        let said = expectation(Expect::Clean, &[]);
        for engine in Engine::ALL {
            check(&said, engine, Some(7), 7, None, Judgement::AsExpected);
            check(&said, engine, Some(7), 7, Some(PROPERTY), Judgement::NotAsExpected);
            check(&said, engine, Some(7), 1, Some(PROPERTY), Judgement::NotAsExpected);
        }
    }

    #[test]
    fn a_search_that_found_nothing_is_undecided_until_its_budget_is_spent() {
        for engine in Engine::ALL {
            for said in [expectation(Expect::Clean, &[]), expectation(DEFECT, &[engine])] {
                let spent = if said.expect == DEFECT { Judgement::NotAsExpected } else { Judgement::AsExpected };
                let budget = said.budget(engine, None).enough;
                check(&said, engine, None, 0, None, Judgement::Undecided);
                check(&said, engine, None, budget - 1, None, Judgement::Undecided);
                check(&said, engine, None, budget, None, spent);
            }
        }
    }

    #[test]
    fn a_search_of_no_schedule_is_undecided_whatever_its_budget() {
        let said = expectation(Expect::Clean, &[]);
        check(&said, Engine::Fiber, Some(0), 0, None, Judgement::Undecided);
    }

    #[test]
    fn a_defect_that_a_narrowed_search_does_not_find_is_undecided() {
        let said = expectation(DEFECT, &[Engine::Fiber, Engine::Loom]);
        for engine in [Engine::Fiber, Engine::Loom] {
            check(&said, engine, Some(7), 7, None, Judgement::Undecided);
            check(&said, engine, Some(7), 7, Some(PROPERTY), Judgement::AsExpected);
        }
        let wide = defaults::SCHEDULES_OF_DEFECT + 1;
        check(&said, Engine::Fiber, Some(wide), wide - 1, None, Judgement::Undecided);
        check(&said, Engine::Fiber, Some(wide), wide, None, Judgement::NotAsExpected);
    }

    #[test]
    fn a_defect_must_be_found_where_the_scenario_says_so_and_may_be_elsewhere() {
        let said = expectation(DEFECT, &[Engine::Fiber]);
        check(&said, Engine::Fiber, None, 1, Some(PROPERTY), Judgement::AsExpected);
        check(&said, Engine::Threads, Some(5), 5, None, Judgement::AsExpected);
        check(&said, Engine::Threads, Some(5), 5, Some(PROPERTY), Judgement::AsExpected);
    }

    #[test]
    fn a_defect_that_breaks_another_rule_is_never_as_expected() {
        for engine in Engine::ALL {
            let said = expectation(DEFECT, &[Engine::Fiber]);
            check(&said, engine, None, 1, Some("no task waits forever"), Judgement::NotAsExpected);
        }
    }

    #[test]
    fn a_clean_search_with_its_whole_budget_must_reach_every_rare_state() {
        let said = Expectation { rare_states: &["it drips"], ..expectation(Expect::Clean, &[]) };
        let whole = defaults::SCHEDULES;
        check(&said, Engine::Fiber, None, whole, None, Judgement::NotAsExpected);
        check(&said, Engine::Turmoil, None, whole, None, Judgement::NotAsExpected);
        check(&said, Engine::Fiber, Some(whole - 1), whole - 1, None, Judgement::AsExpected);
        check(&said, Engine::Loom, Some(whole), whole, None, Judgement::AsExpected);
        check(&said, Engine::Threads, None, whole, None, Judgement::AsExpected);
        let cell = cell(&said, Engine::Fiber, None);
        let mut reached = report(&cell, whole, None);
        reached.reached.insert(String::from("it drips"), 1);
        assert_eq!(said.judge(&cell, &reached), Judgement::AsExpected);
    }
}
