//! The cells that a command selects: scenario x variant x engine.
//!
//! A hunt selects the cells that test something: clean variants on every engine that runs the scenario, defects on
//! those that must find them. `shuttle` and `threads` take part only on request. `run` selects any one cell.

use lastref::explore::{Cell, Engine, StrategyName};
use lastref::scenario::{Expectation, Scenario, Unknown};

use super::args::{HuntArguments, ListArguments, RunArguments};
use super::error::Error;
use super::project::Project;

/// A cell, and the verdict that is expected of it.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) cell: Cell,
    pub(super) expectation: Expectation,
}

impl Chosen {
    /// The cell of `scenario` with `variant` on `engine`.
    pub(super) fn new(
        project: Project<'_>,
        scenario: &Scenario,
        variant: &str,
        engine: Engine,
        strategy: StrategyName,
    ) -> Result<Chosen, Error> {
        let unknown = || no_variant(project, scenario, variant);
        let expectation = scenario.expectation(variant).ok_or_else(unknown)?;
        let case = scenario.case(variant).ok_or_else(unknown)?;
        if !scenario.engines().contains(&engine) {
            let engines = names(&scenario.engines());
            return Err(Error::NotOnEngine { scenario: scenario.name(), engine: engine.to_string(), engines });
        }
        let budget = expectation.budget(engine, None);
        Ok(Chosen { cell: Cell { case, engine, strategy, budget }, expectation })
    }

    /// `component/scenario/variant/engine`: the name of the same cell in the suite.
    pub(super) fn name(&self) -> String {
        let name = self.cell.case.name();
        format!("{}/{}/{}/{}", name.component, name.scenario, name.variant, self.cell.engine)
    }
}

/// The one cell of a `run`.
pub(super) fn of_run(project: Project<'_>, arguments: &RunArguments) -> Result<Chosen, Error> {
    let scenario = project.find(&arguments.scenario)?;
    let first = scenario.engines().first().copied().unwrap_or(Engine::Fiber);
    let engine = arguments.engine.unwrap_or(first);
    Chosen::new(project, &scenario, &arguments.variant, engine, arguments.search.strategy)
}

/// The names that a command was given.
#[derive(Clone, Copy, Debug)]
struct Names<'a> {
    component: Option<&'a str>,
    scenario: Option<&'a str>,
    variant: Option<&'a str>,
    engine: Option<Engine>,
}

/// The cells of a hunt, in the order of the list; at least one.
pub(super) fn of_hunt(project: Project<'_>, arguments: &HuntArguments) -> Result<Vec<Chosen>, Error> {
    let HuntArguments { component, scenario, variant, engine, .. } = arguments;
    let [component, scenario, variant] = [component, scenario, variant].map(Option::as_deref);
    let asked = Names { component, scenario, variant, engine: *engine };
    let scenarios = matching_scenarios(project, asked)?;
    let mut chosen = Vec::new();
    for scenario in &scenarios {
        for said in scenario.expectations().iter().filter(|said| is_wanted(asked, said)) {
            for engine in scenario.engines() {
                if takes_part(said, engine, asked.engine) {
                    chosen.push(Chosen::new(project, scenario, said.variant, engine, arguments.search.strategy)?);
                }
            }
        }
    }
    if chosen.is_empty() { Err(no_cell(project, asked, &scenarios)) } else { Ok(chosen) }
}

/// The scenarios that `list` shows; at least one.
pub(super) fn of_list(project: Project<'_>, arguments: &ListArguments) -> Result<Vec<Scenario>, Error> {
    let ListArguments { component, scenario, variant, engine, .. } = arguments;
    let [component, scenario, variant] = [component, scenario, variant].map(Option::as_deref);
    let asked = Names { component, scenario, variant, engine: *engine };
    let found = matching_scenarios(project, asked)?;
    let runs = |scenario: &&Scenario| engine.is_none_or(|engine| scenario.engines().contains(&engine));
    let listed: Vec<Scenario> = found.iter().filter(runs).cloned().collect();
    if listed.is_empty() { Err(no_cell(project, asked, &found)) } else { Ok(listed) }
}

fn matching_scenarios(project: Project<'_>, asked: Names<'_>) -> Result<Vec<Scenario>, Error> {
    let mut scenarios = match asked.scenario {
        Some(name) => vec![project.find(name)?],
        None => project.scenarios.all(),
    };
    if let Some(component) = asked.component {
        let all = project.scenarios.all();
        if !all.iter().any(|scenario| scenario.component() == component) {
            return Err(Unknown::new("component", component, all.iter().map(Scenario::component)).into());
        }
        if let Some(other) = scenarios.iter().find(|scenario| scenario.component() != component)
            && asked.scenario.is_some()
        {
            let input = format!("{component}/{}", other.name());
            return Err(Unknown::of_component("scenario", &input, other.component()).into());
        }
        scenarios.retain(|scenario| scenario.component() == component);
    }
    if let Some(variant) = asked.variant {
        if !scenarios.is_empty() && !scenarios.iter().flat_map(variants).any(|name| name == variant) {
            return Err(unknown_variant(project, variant, &scenarios).into());
        }
        scenarios.retain(|scenario| scenario.expectation(variant).is_some());
    }
    Ok(scenarios)
}

fn is_wanted(asked: Names<'_>, said: &Expectation) -> bool {
    asked.variant.is_none_or(|variant| variant == said.variant)
}

fn takes_part(said: &Expectation, engine: Engine, asked: Option<Engine>) -> bool {
    match asked {
        None => said.is_hunted_on(engine),
        Some(asked) => engine == asked && said.is_tested_by(engine),
    }
}

/// A variant that the scenario does not mention: it belongs to another scenario, or does not exist.
fn no_variant(project: Project<'_>, scenario: &Scenario, variant: &str) -> Error {
    let is_sibling = |other: &Scenario| other.component() == scenario.component();
    if project.scenarios.all().iter().any(|other| is_sibling(other) && other.expectation(variant).is_some()) {
        let own = variants(scenario).join(", ");
        return Error::NotOfScenario { scenario: scenario.name(), variant: variant.to_owned(), own };
    }
    unknown_variant(project, variant, std::slice::from_ref(scenario)).into()
}

/// A variant that none of `scenarios` has: it belongs to another component, or does not exist.
fn unknown_variant(project: Project<'_>, variant: &str, scenarios: &[Scenario]) -> Unknown {
    match project.scenarios.all().iter().find(|other| other.expectation(variant).is_some()) {
        Some(other) => Unknown::of_component("variant", variant, other.component()),
        None => Unknown::new("variant", variant, scenarios.iter().flat_map(variants)),
    }
}

/// Names that are each valid, but select no cell together.
fn no_cell(project: Project<'_>, asked: Names<'_>, scenarios: &[Scenario]) -> Error {
    let filters = [
        ("--component", asked.component.map(str::to_owned)),
        ("--scenario", asked.scenario.map(str::to_owned)),
        ("--variant", asked.variant.map(str::to_owned)),
        ("--engine", asked.engine.map(|engine| engine.to_string())),
    ];
    let flags: Vec<String> =
        filters.into_iter().filter_map(|(flag, value)| value.map(|value| format!("`{flag} {value}`"))).collect();
    let engines: Vec<Engine> = Engine::ALL
        .into_iter()
        .filter(|engine| {
            let mut running = scenarios.iter().filter(|scenario| scenario.engines().contains(engine));
            running.any(|scenario| {
                let mut said = scenario.expectations().into_iter().filter(|said| is_wanted(asked, said));
                said.any(|said| takes_part(&said, *engine, None))
            })
        })
        .collect();
    let program = project.program;
    let instead = match (engines.is_empty(), asked.scenario) {
        (false, _) => format!("without the engine there are cells on {}", names(&engines)),
        (true, Some(scenario)) => format!("`{program} list` shows the component and the variants of `{scenario}`"),
        (true, None) => format!("`{program} list` shows what there is"),
    };
    // Without a flag, the features of the build leave nothing to hunt.
    let asked = if flags.is_empty() { String::from("the engines of this program") } else { flags.join(" with ") };
    Error::NoCell { asked, instead }
}

fn variants(scenario: &Scenario) -> Vec<&'static str> {
    scenario.expectations().iter().map(|said| said.variant).collect()
}

fn names(engines: &[Engine]) -> String {
    engines.iter().map(Engine::to_string).collect::<Vec<_>>().join(" and ")
}
