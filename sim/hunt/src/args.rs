//! Commands and flags.
//!
//! Names (scenarios, variants, components) stay text here: [`filter`](super::filter) checks that they exist, and knows
//! the nearest valid one. Numbers, times and seeds are checked here, where the flag's name is known.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use lastref::explore::{Engine, RECHECK_PERCENT, StrategyName, UnknownStrategy};
use lastref::scenario::{Unknown, defaults, parse_seed};
use lastref_cli::{jobs, schedules, time};

use super::Ceiling;
use super::help::{EXIT_CODES, help};
use super::project::Project;

/// Finds the schedules, or the faults, under which a component frees a resource twice, uses it after its release,
/// delivers it to the wrong peer, or leaks it; and prints one line that replays each.
#[derive(Debug, Parser)]
#[command(name = "lastref", version, args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    hunt: HuntArguments,
}

impl Arguments {
    /// Parses `arguments`, the first of which is the program's name. Help and errors name the project's program.
    pub(super) fn of(project: Project<'_>, arguments: Vec<OsString>) -> Result<Arguments, clap::Error> {
        let command = Arguments::command_of(project);
        Arguments::from_arg_matches(&command.try_get_matches_from(arguments)?)
    }

    fn command_of(project: Project<'_>) -> clap::Command {
        let command = <Arguments as CommandFactory>::command();
        command.bin_name(project.program).after_help(help(project)).mut_subcommand("hunt", |hunt| {
            let about = hunt.get_about().map(ToString::to_string).unwrap_or_default();
            hunt.about(format!("{about} (the default of `{}` without a command)", project.program))
        })
    }

    /// The command; without one it is `hunt`.
    pub(super) fn command(self) -> Command {
        self.command.unwrap_or(Command::Hunt(self.hunt))
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Explores every matching scenario, variant and engine
    #[command(after_help = EXIT_CODES)]
    Hunt(HuntArguments),
    /// Lists the scenarios, a line each; for one scenario, also the verdict that it expects of each variant.
    List(ListArguments),
    /// Explores one scenario with one variant on one engine.
    #[command(after_help = EXIT_CODES)]
    Run(RunArguments),
    /// Repeats the token's execution, and shows it; exits with 1 if it violates a property.
    #[command(after_help = EXIT_CODES)]
    Replay(ReplayArguments),
    /// Shrinks a failing case as far as possible, and saves it.
    #[command(after_help = EXIT_CODES)]
    Shrink(ShrinkArguments),
}

impl Command {
    /// Reduces schedules and time to the ceiling.
    pub(super) fn lower(&mut self, ceiling: &Ceiling) {
        if let Command::Hunt(HuntArguments { time, .. }) = self {
            *time = Some(time.map_or(ceiling.time, |time| time.min(ceiling.time)));
        }
        if let Command::Hunt(HuntArguments { search, .. }) | Command::Run(RunArguments { search, .. }) = self {
            search.schedules = Some(search.schedules.map_or(ceiling.schedules, |asked| asked.min(ceiling.schedules)));
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct HuntArguments {
    /// Searches for this long, as in `20s`, `2m` or `500ms`, and as widely as possible; cells for which the time does
    /// not suffice stay undecided. Without it each cell is searched until it is decided, however long that takes.
    #[arg(long = "for", value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub(super) time: Option<Duration>,
    /// Only this component.
    #[arg(long, value_name = "NAME")]
    pub(super) component: Option<String>,
    /// Only this scenario.
    #[arg(long, value_name = "NAME")]
    pub(super) scenario: Option<String>,
    /// Only this variant.
    #[arg(long, value_name = "NAME")]
    pub(super) variant: Option<String>,
    #[arg(long, value_name = "NAME", value_parser = engine, help = format!("Only this engine: {}", engines()))]
    pub(super) engine: Option<Engine>,
    /// Number of threads that explore (one per core by default); the results do not depend on it.
    #[arg(long, value_name = "N", value_parser = jobs, allow_negative_numbers = true)]
    pub(super) jobs: Option<usize>,
    /// Prints a line for each cell that ends, and a row for each cell.
    #[arg(long)]
    pub(super) verbose: bool,
    #[command(flatten)]
    pub(super) search: SearchArguments,
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The scenario, as `name` or `component/name`.
    pub(super) scenario: String,
    /// The model's variant.
    #[arg(long, value_name = "NAME", default_value = "fixed")]
    pub(super) variant: String,
    #[arg(long, value_name = "NAME", value_parser = engine)]
    #[arg(help = format!("The engine: {}. By default the first of them that runs the scenario", Engine::words()))]
    pub(super) engine: Option<Engine>,
    #[command(flatten)]
    pub(super) search: SearchArguments,
}

/// The search of a cell, and the form of its result.
#[derive(Debug, Args)]
pub(super) struct SearchArguments {
    /// Budget of schedules for each cell. By default 1,000 for a variant that must stay clean, 10,000 for a planted
    /// defect, and under loom 200,000 executions.
    #[arg(long, value_name = "N", value_parser = schedules, allow_negative_numbers = true)]
    pub(super) schedules: Option<u64>,
    #[arg(long, value_name = "NAME", value_parser = strategy, default_value_t = defaults::STRATEGY)]
    #[arg(help = format!("The scheduling strategy: {}", StrategyName::words()))]
    pub(super) strategy: StrategyName,
    /// The seed of the search: decimal, or hexadecimal with 0x.
    #[arg(long, value_name = "N", value_parser = parse_seed, allow_hyphen_values = true, default_value_t = defaults::SEED)]
    pub(super) seed: u64,
    /// Percentage of runs that are repeated to check determinism (exit code 3 if a repeated run differs); 0 is none.
    #[arg(long, value_name = "PERCENT", value_parser = percentage, allow_negative_numbers = true, default_value_t = RECHECK_PERCENT)]
    pub(super) recheck: u8,
    #[command(flatten)]
    pub(super) folder: FolderArgument,
    /// Prints one JSON object on stdout, and no other text.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Only this scenario, as `name` or `component/name`, with the verdict that it expects of each variant.
    pub(super) scenario: Option<String>,
    /// Only this component.
    #[arg(long, value_name = "NAME")]
    pub(super) component: Option<String>,
    /// Only scenarios that run this variant.
    #[arg(long, value_name = "NAME")]
    pub(super) variant: Option<String>,
    /// Only scenarios that this engine can run.
    #[arg(long, value_name = "NAME", value_parser = engine)]
    pub(super) engine: Option<Engine>,
    /// Also lists the verdict that each scenario expects of each variant.
    #[arg(long)]
    pub(super) verbose: bool,
    /// Prints one JSON array on stdout, and no other text.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// A replay token, or the path of a `.repro` file.
    #[arg(value_name = "TOKEN-or-FILE")]
    pub(super) case: String,
    #[command(flatten)]
    pub(super) folder: FolderArgument,
    /// Shows every operation with its source line, not only custody and state changes.
    #[arg(long)]
    pub(super) full: bool,
    /// Prints one JSON object on stdout, and no other text.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShrinkArguments {
    /// A replay token, or the path of a `.repro` file.
    #[arg(value_name = "TOKEN-or-FILE")]
    pub(super) case: String,
    #[command(flatten)]
    pub(super) folder: FolderArgument,
}

#[derive(Debug, Args)]
pub(super) struct FolderArgument {
    /// The folder of saved cases.
    #[arg(long, value_name = "FOLDER", default_value = defaults::REPRO_DIR)]
    pub(super) dir: PathBuf,
}

/// Why a flag's value is invalid. clap adds the sentence around it, with the flag and the value.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadValue {
    #[error("a percentage is a whole number from 0 to 100")]
    NoPercentage,
    #[error("{0}")]
    UnknownStrategy(#[from] UnknownStrategy),
    #[error("{0}")]
    Unknown(#[from] Unknown),
}

fn percentage(text: &str) -> Result<u8, BadValue> {
    text.parse().ok().filter(|percent| *percent <= 100).ok_or(BadValue::NoPercentage)
}

/// The engines, and those among them that a hunt does not include by default.
fn engines() -> String {
    let asked: Vec<&str> = Engine::ALL.into_iter().filter(|engine| !engine.is_default()).map(Engine::word).collect();
    format!("{} ({} take part only on request)", Engine::words(), asked.join(" and "))
}

fn engine(text: &str) -> Result<Engine, BadValue> {
    text.parse().map_err(|_| {
        let names: Vec<String> = Engine::ALL.iter().map(Engine::to_string).collect();
        Unknown::new("engine", text, names.iter().map(String::as_str)).into()
    })
}

fn strategy(text: &str) -> Result<StrategyName, BadValue> {
    text.parse().map_err(|error: UnknownStrategy| {
        let names: Vec<String> = StrategyName::all().map(|name| name.to_string()).collect();
        let unknown = Unknown::new("strategy", text, names.iter().map(String::as_str));
        // Where no name is near, or only a parameter is out of bounds, the list says more.
        let has_digits = text.contains(|letter: char| letter.is_ascii_digit());
        if unknown.hint.is_none() || has_digits { error.into() } else { unknown.into() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::PROJECT;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Arguments::command_of(PROJECT).debug_assert();
    }

    #[test]
    fn no_command_is_a_hunt_and_takes_its_flags() {
        let arguments = Arguments::try_parse_from(["pool", "--for", "20s", "--json"]).unwrap();
        let Command::Hunt(hunt) = arguments.command() else { panic!("`pool` alone is a hunt") };
        assert_eq!(hunt.time, Some(Duration::from_secs(20)));
        assert!(hunt.search.json);
    }

    #[test]
    fn zero_is_not_a_budget() {
        assert!(schedules("0").is_err());
        assert!(jobs("0").is_err());
        assert!(time("0s").is_err());
        assert!(time("20").is_err());
        assert_eq!(time("500ms").ok(), Some(Duration::from_millis(500)));
    }
}
