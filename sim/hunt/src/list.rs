//! `list`: the scenarios, a line each, and the expected verdict of each variant.

use std::fmt::Write;

use lastref::scenario::{Expect, Scenario};

use super::answer::{Answer, Exit};
use super::args::ListArguments;
use super::error::Error;
use super::project::Project;
use super::{filter, json};

/// Lists the matching scenarios without exploring them.
pub(super) fn list(project: Project<'_>, arguments: &ListArguments) -> Result<Answer, Error> {
    let listed = filter::of_list(project, arguments)?;
    let in_full = arguments.verbose || arguments.scenario.is_some();
    let stdout = match arguments.json {
        true => json::list(&listed),
        false if in_full => listed.iter().map(in_detail).collect(),
        false => lines(&listed),
    };
    Ok(Answer::new(stdout, Exit::AsExpected))
}

/// A line for each scenario, under its component.
fn lines(scenarios: &[Scenario]) -> String {
    let width = scenarios.iter().map(|scenario| scenario.name().len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut component = "";
    for scenario in scenarios {
        if scenario.component() != component {
            component = scenario.component();
            let count = scenarios.iter().filter(|other| other.component() == component).count();
            let noun = if count == 1 { "scenario" } else { "scenarios" };
            let _ = writeln!(text, "{component}, {count} {noun}");
        }
        let _ = writeln!(text, "  {:width$}  {}", scenario.name(), scenario.about());
    }
    text
}

fn in_detail(scenario: &Scenario) -> String {
    let engines: Vec<String> = scenario.engines().iter().map(ToString::to_string).collect();
    let width = scenario.expectations().iter().map(|said| said.variant.len()).max().unwrap_or(0);
    let mut text = format!("{}/{}\n", scenario.component(), scenario.name());
    let _ = match scenario.upstream() {
        "" => writeln!(text, "  {}", scenario.about()),
        upstream => writeln!(text, "  {} ({upstream})", scenario.about()),
    };
    let _ = writeln!(text, "  on {}", engines.join(", "));
    for said in scenario.expectations() {
        let expected = match said.expect {
            Expect::Clean => String::from("clean"),
            Expect::Violation { property } => format!("violates: {property}"),
        };
        let _ = writeln!(text, "    {:width$}  {expected}", said.variant);
    }
    text.push('\n');
    text
}
