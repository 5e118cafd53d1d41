//! The text of `--help` after the flags: example commands with the project's own names, and the exit codes.

use lastref::explore::Engine;
use lastref::scenario::{Expect, Scenario};

use super::project::Project;

/// Columns of a command, after which its purpose begins; a longer command has its purpose on the next line.
const COMMAND_WIDTH: usize = 55;

/// The text of `--help` after the flags.
pub(super) fn help(project: Project<'_>) -> String {
    format!("Examples:\n{}\n{EXIT_CODES}", examples(project))
}

/// The exit codes, as shown by `--help`.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    everything is decided, and as expected
  1    a finding, or a verdict that is not as expected
  2    bad usage or input, or an answer that cannot be written
  3    not deterministic: the same execution gave two results
  4    undecided cells are left
  101  a bug of the harness
  130  interrupted by Ctrl-C, 143 by SIGTERM or SIGHUP; what is known so far is printed, unless a
       second signal comes before";

/// Commands that work in this project, a line or two for each.
fn examples(project: Project<'_>) -> String {
    let all = project.scenarios.all();
    let mut lines = vec![(String::new(), "every scenario")];
    if let (Some(first), Some(last)) = (all.first(), all.last())
        && first.component() != last.component()
    {
        // The shortest name, so that the line has room for its purpose.
        let shortest = all.iter().map(Scenario::component).min_by_key(|name| name.len()).unwrap_or_default();
        lines.push((format!("hunt --component {shortest} --for 5m --verbose"), "one component, for five minutes"));
    }
    match (planted(&all), all.first()) {
        (Some((scenario, variant)), _) => {
            lines.push((format!("run {scenario} --variant {variant}"), "one planted defect, in full"));
        }
        (None, Some(first)) => lines.push((format!("run {}", first.name()), "one scenario, in full")),
        (None, None) => {}
    }
    if all.iter().any(|scenario| scenario.engines().contains(&Engine::Turmoil)) {
        lines.push((String::from("list --engine turmoil"), "the scenarios on the network"));
    }
    lines.push((String::from("replay TOKEN --full"), "a finding, with every operation"));
    lines.iter().map(|(arguments, purpose)| line(&format!("{} {arguments}", project.program), purpose)).collect()
}

/// The planted defect whose finding a hunt shows in full, or else the first of the list.
fn planted(all: &[Scenario]) -> Option<(&'static str, &'static str)> {
    let said =
        || all.iter().flat_map(|scenario| scenario.expectations().into_iter().map(|said| (scenario.name(), said)));
    let defects = || said().filter(|(_, said)| said.expect != Expect::Clean);
    let example = defects().find(|(_, said)| said.is_example).or_else(|| defects().next());
    example.map(|(scenario, said)| (scenario, said.variant))
}

fn line(command: &str, purpose: &str) -> String {
    let command = command.trim_end();
    if command.len() + 2 <= COMMAND_WIDTH {
        format!("  {command:COMMAND_WIDTH$}{purpose}\n")
    } else {
        format!("  {command}\n  {:COMMAND_WIDTH$}{purpose}\n", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Exit;
    use crate::samples::PROJECT;

    #[test]
    fn the_help_has_every_exit_code() {
        use Exit::{AsExpected, Broken, Finding, Interrupted, NotDeterministic, Refused, Terminated, Undecided};
        for exit in [AsExpected, Broken, Finding, Interrupted, NotDeterministic, Refused, Terminated, Undecided] {
            let code = exit.code().to_string();
            assert!(EXIT_CODES.split(|c: char| !c.is_ascii_digit()).any(|number| number == code), "{exit:?}: {code}");
        }
    }

    #[test]
    fn the_examples_are_commands_of_the_project() {
        let text = examples(PROJECT);
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let expected = [
            "pool every scenario",
            "pool run shared --variant releases_twice one planted defect, in full",
            "pool replay TOKEN --full a finding, with every operation",
        ];
        assert_eq!(lines, expected, "{text}");
    }

    #[test]
    fn a_long_command_has_its_purpose_on_the_next_line() {
        let command = "x".repeat(COMMAND_WIDTH - 1);
        let text = line(&command, "why");
        assert_eq!(text.lines().map(str::trim).collect::<Vec<_>>(), [command.as_str(), "why"]);
        assert_eq!(line(&command[2..], "why").lines().count(), 1);
    }
}
