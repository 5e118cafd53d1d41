//! cargo's own flags, which `cargo lastref` passes through.
//!
//! The flags are listed in a table. If every unknown flag were passed through, a typing error would not be refused in
//! one sentence, and the value of a flag could be mistaken for a test filter. A new flag of cargo is one row.

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};

/// The subject of a flag. A replay repeats the flags that decide how the code is built, those that select packages
/// included: cargo unifies the features of the selected packages. The token names the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    /// Selects packages.
    Packages,
    /// Selects targets.
    Targets,
    /// Decides which code is compiled, and how.
    Code,
    /// Concerns folders, output or the network.
    Manner,
}

/// The number of values of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Nothing,
    One(&'static str),
    /// `--flag` or `--flag=VALUE`.
    Optionally(&'static str),
}

/// The commands that have a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    All,
    /// `test`, `build` and `check`.
    Many,
    /// All but `run`, which starts one binary.
    NotRun,
    /// `test` only.
    Test,
    /// `build` and `check`: the messages of `test` are read, not shown.
    Messages,
    /// All but the commands that take a token.
    NotToken,
}

struct Row(&'static str, Option<char>, Takes, About, On);

const ROWS: &[Row] = {
    use About::{Code, Manner, Packages, Targets};
    use On::{All, Many, Messages, NotRun, NotToken, Test};
    use Takes::{Nothing, One, Optionally};
    &[
        Row("all", None, Nothing, Packages, NotRun),
        Row("all-features", None, Nothing, Code, All),
        Row("all-targets", None, Nothing, Targets, Many),
        Row("bench", None, One("NAME"), Targets, Many),
        Row("benches", None, Nothing, Targets, Many),
        Row("bin", None, One("NAME"), Targets, NotToken),
        Row("bins", None, Nothing, Targets, Many),
        Row("color", None, One("WHEN"), Manner, All),
        Row("config", None, One("KEY=VALUE"), Code, All),
        Row("doc", None, Nothing, Targets, Test),
        Row("example", None, One("NAME"), Targets, NotToken),
        Row("examples", None, Nothing, Targets, Many),
        Row("exclude", None, One("SPEC"), Packages, NotRun),
        Row("features", Some('F'), One("FEATURES"), Code, All),
        Row("frozen", None, Nothing, Manner, All),
        Row("future-incompat-report", None, Nothing, Manner, NotToken),
        Row("ignore-rust-version", None, Nothing, Manner, All),
        Row("keep-going", None, Nothing, Manner, NotToken),
        Row("lib", None, Nothing, Targets, Many),
        Row("locked", None, Nothing, Manner, All),
        Row("manifest-path", None, One("PATH"), Code, All),
        Row("message-format", None, One("FMT"), Manner, Messages),
        Row("no-default-features", None, Nothing, Code, All),
        Row("offline", None, Nothing, Manner, All),
        Row("package", Some('p'), One("SPEC"), Packages, All),
        Row("profile", None, One("NAME"), Code, All),
        Row("quiet", Some('q'), Nothing, Manner, All),
        Row("release", Some('r'), Nothing, Code, All),
        Row("target", None, One("TRIPLE"), Manner, All),
        Row("target-dir", None, One("FOLDER"), Manner, All),
        Row("test", None, One("NAME"), Targets, Many),
        Row("tests", None, Nothing, Targets, Many),
        Row("timings", None, Optionally("FMTS"), Manner, NotToken),
        Row("verbose", Some('v'), Nothing, Manner, All),
        Row("workspace", None, Nothing, Packages, NotRun),
        Row("Z", Some('Z'), One("FLAG"), Code, All),
    ]
};

/// The kinds of command; all commands of a kind accept the same flags of cargo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Test,
    Run,
    BuildOrCheck,
    /// `replay`, `shrink` and `show`.
    Token,
}

impl On {
    fn has(self, kind: Kind) -> bool {
        match self {
            On::All => true,
            On::Many => matches!(kind, Kind::Test | Kind::BuildOrCheck),
            On::NotRun => kind != Kind::Run,
            On::Test => kind == Kind::Test,
            On::Messages => kind == Kind::BuildOrCheck,
            On::NotToken => kind != Kind::Token,
        }
    }
}

/// Adds the flags of a command.
pub(crate) fn add_to(command: Command, kind: Kind) -> Command {
    ROWS.iter().filter(|row| row.4.has(kind)).fold(command, |command, Row(name, short, takes, ..)| {
        // `-Z` has no long form.
        let arg = Arg::new(*name).help_heading("cargo's flags, passed through");
        let arg = if name.len() > 1 { arg.long(*name) } else { arg };
        let arg = short.map_or(arg.clone(), |short| arg.short(short));
        command.arg(match takes {
            Takes::Nothing => arg.action(ArgAction::Count),
            Takes::One(value) => arg.value_name(*value).action(ArgAction::Append).value_parser(ValueParser::string()),
            Takes::Optionally(value) => arg
                .value_name(*value)
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("")
                .action(ArgAction::Append)
                .value_parser(ValueParser::string()),
        })
    })
}

/// The cargo flags on a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CargoFlags {
    given: Vec<(&'static str, Option<String>)>,
}

impl CargoFlags {
    /// Reads the flags, in the order of the table.
    pub(crate) fn read(matches: &ArgMatches, kind: Kind) -> CargoFlags {
        let mut given = Vec::new();
        for Row(name, _, takes, ..) in ROWS.iter().filter(|row| row.4.has(kind)) {
            if *takes == Takes::Nothing {
                given.extend((0..matches.get_count(name)).map(|_| (*name, None)));
            } else {
                let values = matches.get_many::<String>(name).into_iter().flatten();
                given.extend(values.map(|value| (*name, Some(value.clone()))));
            }
        }
        CargoFlags { given }
    }

    /// All flags, as arguments for cargo.
    pub(crate) fn arguments(&self) -> Vec<String> {
        self.given.iter().flat_map(|(name, value)| words(name, value.as_deref())).collect()
    }

    /// The flags that decide how the code is built, for the line that replays a finding.
    pub(crate) fn of_code(&self) -> Vec<String> {
        let code = self.given.iter().filter(|(name, _)| matches!(about(name), About::Code | About::Packages));
        code.flat_map(|(name, value)| words(name, value.as_deref())).collect()
    }

    /// The flags that do not select packages or targets.
    pub(crate) fn without_selection(&self) -> Vec<String> {
        let others = self.given.iter().filter(|(name, _)| !matches!(about(name), About::Packages | About::Targets));
        others.flat_map(|(name, value)| words(name, value.as_deref())).collect()
    }

    /// Whether a flag is given.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.given.iter().any(|(name, _)| *name == flag)
    }

    /// The last value of a flag.
    pub(crate) fn value(&self, flag: &str) -> Option<&str> {
        self.given.iter().rev().find(|(name, _)| *name == flag)?.1.as_deref()
    }

    /// Whether packages are selected.
    pub(crate) fn selects_packages(&self) -> bool {
        self.given.iter().any(|(name, _)| about(name) == About::Packages)
    }

    /// Whether targets are selected, so that cargo runs doc tests only if `--doc` is among them.
    pub(crate) fn selects_targets(&self) -> bool {
        const FLAGS: [&str; 10] =
            ["lib", "bin", "bins", "test", "tests", "example", "examples", "bench", "benches", "all-targets"];
        FLAGS.iter().any(|flag| self.has(flag))
    }
}

fn about(flag: &str) -> About {
    ROWS.iter().find(|row| row.0 == flag).map_or(About::Manner, |row| row.3)
}

fn words(name: &str, value: Option<&str>) -> Vec<String> {
    let flag = if name.len() > 1 { format!("--{name}") } else { format!("-{name}") };
    match value {
        None => vec![flag],
        Some("") if name == "timings" => vec![flag],
        Some(value) if name == "timings" => vec![format!("{flag}={value}")],
        Some(value) => vec![flag, value.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, words: &[&str]) -> Result<CargoFlags, clap::Error> {
        let command = add_to(Command::new("cargo").no_binary_name(true).disable_help_flag(true), kind);
        command.try_get_matches_from(words).map(|matches| CargoFlags::read(&matches, kind))
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(ROWS.is_sorted_by_key(|row| row.0.to_lowercase()));
    }

    #[test]
    fn flags_come_out_as_they_went_in() {
        let flags = read(Kind::Test, &["-pa", "--package=b", "-vv", "-F", "x,y", "--release", "-Zmiri", "--timings"]);
        let said = ["--features", "x,y", "--package", "a", "--package", "b", "--release", "--timings", "--verbose"];
        let mut told = flags.as_ref().unwrap().arguments();
        assert_eq!(told.split_off(told.len() - 3), ["--verbose", "-Z", "miri"]);
        assert_eq!(told, said);
        let code = ["--features", "x,y", "--package", "a", "--package", "b", "--release", "-Z", "miri"];
        assert_eq!(flags.unwrap().of_code(), code);
    }

    #[test]
    fn a_flag_of_another_command_is_refused() {
        assert!(read(Kind::Token, &["--lib"]).is_err());
        assert!(read(Kind::Run, &["--test", "x"]).is_err());
        assert!(read(Kind::BuildOrCheck, &["--doc"]).is_err());
        assert!(read(Kind::Test, &["--doc", "--no-such-flag"]).is_err());
        assert!(read(Kind::Token, &["--release"]).is_ok());
    }

    #[test]
    fn doc_tests_are_left_out_where_targets_are_selected() {
        assert!(read(Kind::Test, &["--lib"]).unwrap().selects_targets());
        assert!(!read(Kind::Test, &["--workspace", "--release"]).unwrap().selects_targets());
    }
}
