//! `lastref list`: the scenarios, and the verdict that each expects of each variant.

use std::fmt::Write;

use scenarios::{Expect, Scenario};

use super::answer::{Answer, Exit};
use super::args::ListArguments;
use super::error::Error;
use super::json;

/// Lists all scenarios; explores none.
pub(super) fn list(arguments: &ListArguments) -> Result<Answer, Error> {
    let scenarios = scenarios::all();
    let stdout = if arguments.json { json::list(&scenarios) } else { scenarios.iter().map(text).collect() };
    Ok(Answer::new(stdout, Exit::AsExpected))
}

fn text(scenario: &Scenario) -> String {
    let engines: Vec<String> = scenario.engines().iter().map(ToString::to_string).collect();
    let width = scenario.expectations().iter().map(|said| said.variant.len()).max().unwrap_or(0);
    let mut text = format!("{}/{}\n", scenario.component(), scenario.name());
    let _ = writeln!(text, "  {} ({})", scenario.about(), scenario.upstream());
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
