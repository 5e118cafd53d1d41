//! A project with one component, and outcomes of its scenarios, for the tests of their output.

use std::collections::BTreeMap;

use lastref::explore::{Engine, Report, Verdict, run_one};
use lastref::ledger::{Owner, Resource};
use lastref::property::sometimes;
use lastref::scenario::prelude::Just;
use lastref::scenario::{Entry, Expect, Expectation, Scenario, Scenarios, Variant, defaults};
use lastref::thread;

use super::filter::Chosen;
use super::outcome::Outcome;
use super::project::Project;

/// The project.
pub(super) const PROJECT: Project<'static> = Project { program: "pool", scenarios: &SCENARIOS };

static SCENARIOS: Scenarios = Scenarios::new(&[Entry { component: "pool", name: "shared", declare: || shared("") }]);

/// A buffer that two tasks share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pool {
    Fixed,
    ReleasesTwice,
}

impl Variant for Pool {
    const COMPONENT: &'static str = "pool";
    const ALL: &'static [Pool] = &[Pool::Fixed, Pool::ReleasesTwice];

    fn name(self) -> &'static str {
        match self {
            Pool::Fixed => "fixed",
            Pool::ReleasesTwice => "releases_twice",
        }
    }
}

/// The scenario of the project, as if it came from the report `upstream`.
pub(super) fn shared(upstream: &'static str) -> Scenario {
    clean_only(upstream).violates(Pool::ReleasesTwice, "buffer is released once")
}

/// The same without a planted defect.
pub(super) fn clean_only(upstream: &'static str) -> Scenario {
    Scenario::new("shared", "Two tasks share a buffer", upstream, || Just(()), run)
        .clean(Pool::Fixed)
        .sometimes(&["the other task has the buffer"])
}

fn run(variant: Pool, (): &()) {
    let [owner, guest] = [0, 1].map(|number| Owner::new("task", number));
    let buffer = Resource::acquire("buffer", owner);
    let other = thread::spawn(move || {
        sometimes("the other task has the buffer", true);
        if variant == Pool::ReleasesTwice {
            buffer.release(guest);
        }
    });
    other.join();
    buffer.release(owner);
}

/// The first variant of the list with this expectation.
fn chosen(expect: impl Fn(&Expectation) -> bool) -> Chosen {
    let mut of_all = SCENARIOS
        .all()
        .into_iter()
        .flat_map(|scenario| scenario.expectations().into_iter().map(move |said| (scenario.clone(), said)));
    let found = of_all.find(|(scenario, said)| scenario.engines().contains(&Engine::Fiber) && expect(said));
    let (scenario, said) = found.expect("the list has one");
    Chosen::new(PROJECT, &scenario, said.variant, Engine::Fiber, defaults::STRATEGY).expect("it is of the list")
}

fn outcome(chosen: Chosen, report: Report) -> Outcome {
    Outcome { chosen, seed: 0, report, shortest: None, repro: None }
}

/// A search of that many schedules without a finding, which reached every rare state.
pub(crate) fn clean(schedules: u64) -> Outcome {
    let mut clean = deserted(schedules);
    let rare_states = clean.chosen.expectation.not_reached(&clean.report);
    clean.report.reached = rare_states.into_iter().map(|sentence| (sentence.to_owned(), 1)).collect();
    clean
}

/// A search of that many schedules without a finding, which reached no rare state.
pub(crate) fn deserted(schedules: u64) -> Outcome {
    let chosen = chosen(|said| said.expect == Expect::Clean && !said.rare_states.is_empty());
    let complete = schedules >= chosen.cell.budget.enough;
    let report = Report {
        schedules,
        steps: 340,
        verdict: Verdict::Clean,
        complete,
        reached: BTreeMap::new(),
        ..run_one(&chosen.cell.case, Engine::Fiber, chosen.cell.strategy, 0)
    };
    outcome(chosen, report)
}

/// A planted defect that was found.
pub(crate) fn planted() -> Outcome {
    let chosen = chosen(|said| said.expect != Expect::Clean);
    let run = |seed| run_one(&chosen.cell.case, Engine::Fiber, chosen.cell.strategy, seed);
    let report = (0..).map(run).find(|report| report.failure().is_some()).expect("some seed shows the defect");
    outcome(chosen, report)
}

/// The same, in a scenario that is made to expect the variant clean.
pub(crate) fn violation() -> Outcome {
    let mut planted = planted();
    planted.chosen.expectation = Expectation::clean(planted.chosen.expectation.variant);
    planted
}
