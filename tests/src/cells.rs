//! The cells of the suite: scenario x variant x engine, as a hunt takes them.

use lastref::explore::{Cell, Engine};
use lastref::scenario::{Expectation, Scenario, defaults};
use scenarios::SCENARIOS;

use crate::canaries::{BROKEN, CANARIES};

/// One named test of the suite.
#[derive(Clone, Debug)]
pub struct SuiteCell {
    /// The cell to explore.
    pub cell: Cell,
    /// The expected result.
    pub expectation: Expectation,
}

impl SuiteCell {
    /// `component/scenario/variant/engine`.
    pub fn name(&self) -> String {
        let name = self.cell.case.name();
        format!("{}/{}/{}/{}", name.component, name.scenario, name.variant, self.cell.engine)
    }

    fn new(scenario: &Scenario, said: &Expectation, engine: Engine) -> Option<SuiteCell> {
        let (case, budget) = (scenario.case(said.variant)?, said.budget(engine, None));
        let cell = Cell { case, engine, strategy: defaults::STRATEGY, budget };
        Some(SuiteCell { cell, expectation: said.clone() })
    }
}

/// A cell that must fail: a broken canary that is expected to be clean. If it passes, the suite is broken.
///
/// # Panics
/// If the canary has lost its broken twin.
pub fn canary() -> SuiteCell {
    let [canary, ..] = CANARIES;
    let case = canary.case(BROKEN).expect("invariant: a canary has a broken twin");
    let expectation = Expectation::clean(BROKEN);
    let budget = expectation.budget(Engine::Fiber, None);
    let cell = Cell { case, engine: Engine::Fiber, strategy: defaults::STRATEGY, budget };
    SuiteCell { cell, expectation }
}

/// Every cell for which a scenario declares an expectation, in the order of the list.
pub fn all() -> Vec<SuiteCell> {
    let mut cells = Vec::new();
    for scenario in SCENARIOS.all() {
        for said in scenario.expectations() {
            for engine in scenario.engines().into_iter().filter(|engine| said.is_hunted_on(*engine)) {
                cells.extend(SuiteCell::new(&scenario, &said, engine));
            }
        }
    }
    cells
}
