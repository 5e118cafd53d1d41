//! Commands and flags of this program. cargo's own are in [`cargo_flags`].

use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches, Parser, Subcommand};
use lastref_cli::{jobs, schedules, steps, time};
use lastref_kernel::faults::FaultPlan;
use lastref_kernel::strategy::{StrategyName, UnknownStrategy};

use crate::answer::EXIT_CODES;
use crate::cargo_flags::{self, CargoFlags, Kind};

/// Schedules of each test.
const SCHEDULES: u64 = 1_000;

/// Runs the tests of this crate, unmodified, under many schedules, and prints one line that replays each finding.
#[derive(Debug, Parser)]
#[command(name = "cargo lastref", bin_name = "cargo lastref", version, after_help = EXIT_CODES)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Choice,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Choice {
    /// Builds the tests, and runs each under many schedules.
    #[command(after_help = EXIT_CODES)]
    Test(TestArguments),
    /// Builds a binary under lastref, and runs it once, outside the simulator.
    Run(RunArguments),
    /// Builds the crate under lastref.
    Build(Passed),
    /// Checks that the crate compiles under lastref.
    Check(Passed),
    /// Repeats the run of a token, and shows it; exits with 1 if it has a finding.
    #[command(after_help = EXIT_CODES)]
    Replay(TokenArguments),
    /// Searches for a run with the same finding and fewer switches between tasks.
    Shrink(TokenArguments),
    /// Repeats the run of a token, and shows its finding on one line and its table.
    Show(ShowArguments),
}

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// Only tests with this text in their name.
    #[arg(value_name = "TESTNAME")]
    pub(crate) filter: Option<String>,
    /// Arguments of libtest: more filters, `--exact`, `--skip`, `--ignored`, `--include-ignored`, `--nocapture`,
    /// `--test-threads`, `--list`.
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) rest: Vec<String>,
    #[command(flatten)]
    pub(crate) search: SearchArguments,
    /// Number of tests that run at once, and of cargo's jobs (one per core by default).
    #[arg(short, long, value_name = "N", value_parser = jobs, allow_negative_numbers = true)]
    pub(crate) jobs: Option<usize>,
    /// Ends a test after this time, as in `30s`, and reports its current run.
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) hang: HangArgument,
    /// Builds the tests, but does not run them.
    #[arg(long)]
    pub(crate) no_run: bool,
    /// Runs the later executables too if a test of an earlier one fails.
    #[arg(long)]
    pub(crate) no_fail_fast: bool,
    /// Shows the table of a finding's first run, without a search for a shorter run.
    #[arg(long)]
    pub(crate) no_shrink: bool,
    /// Prints one JSON object on stdout, and no other text; with `-- --list`, plain lines.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) cargo: Flags<TestKind>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Arguments of the binary.
    #[arg(value_name = "ARGS", trailing_var_arg = true)]
    pub(crate) rest: Vec<String>,
    #[command(flatten)]
    pub(crate) build: BuildJobs,
    #[command(flatten)]
    pub(crate) cargo: Flags<RunKind>,
}

#[derive(Debug, Args)]
pub(crate) struct Passed {
    #[command(flatten)]
    pub(crate) build: BuildJobs,
    #[command(flatten)]
    pub(crate) cargo: Flags<BuildKind>,
}

#[derive(Debug, Args)]
pub(crate) struct BuildJobs {
    /// Number of cargo's jobs (one per core by default).
    #[arg(short, long, value_name = "N", value_parser = jobs, allow_negative_numbers = true)]
    pub(crate) jobs: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArguments {
    /// The token, as in the line `replay:` of a finding.
    #[arg(value_name = "TOKEN")]
    pub(crate) token: String,
    #[command(flatten)]
    pub(crate) search: SettingArguments,
    #[command(flatten)]
    pub(crate) hang: HangArgument,
    /// Prints one JSON object on stdout, and no other text.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) cargo: Flags<TokenKind>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    pub(crate) token: TokenArguments,
    /// Shows every row; without it a long table is folded in its middle.
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HangArgument {
    /// Ends a test whose run makes no step for this long.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "60s", allow_hyphen_values = true)]
    pub(crate) hang: Duration,
}

/// The extent of the search of each test.
#[derive(Clone, Debug, Args)]
pub(crate) struct SearchArguments {
    /// Schedules of each test: 1,000 by default, and without a bound if `--for` is given alone.
    #[arg(long, value_name = "N", value_parser = schedules, allow_negative_numbers = true)]
    pub(crate) schedules: Option<u64>,
    /// Searches each test for this long, as in `5s`, `2m` or `500ms`.
    #[arg(long = "for", value_name = "TIME", value_parser = time, allow_hyphen_values = true)]
    pub(crate) time: Option<Duration>,
    /// The seed of the search: decimal, or hexadecimal with 0x.
    #[arg(long, value_name = "N", value_parser = seed, allow_hyphen_values = true, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Faults of TCP connections in a run: kinds to draw from (`reset`, `half-close`, `blackhole`, `stall`,
    /// `partition`, `hold`, `crash`, `refuse`, `hang`, `short`, `all`), or exact ones, as in `reset@2.c.120`.
    #[arg(long, value_name = "PLAN", value_parser = faults)]
    pub(crate) faults: Option<String>,
    #[command(flatten)]
    pub(crate) settings: SettingArguments,
}

impl SearchArguments {
    /// The bound on schedules; there is none if only a time is given.
    pub(crate) fn schedules(&self) -> u64 {
        self.schedules.unwrap_or(if self.time.is_some() { u64::MAX } else { SCHEDULES })
    }
}

/// The settings of a run other than its seed.
#[derive(Clone, Debug, Args)]
pub(crate) struct SettingArguments {
    #[arg(long, value_name = "NAME", value_parser = strategy, default_value_t = StrategyName::MIX)]
    #[arg(help = format!("The scheduling strategy: {}", StrategyName::words()))]
    pub(crate) strategy: StrategyName,
    /// Lets timers fire while tasks can run; by default they fire only when the clock reaches them.
    #[arg(long)]
    pub(crate) explore_time: bool,
    /// Bound on the steps of a run (200,000 by default).
    #[arg(long, value_name = "N", value_parser = steps, allow_negative_numbers = true)]
    pub(crate) steps: Option<u32>,
    /// How to treat resources that are not simulated: files, child processes, UDP, other machines and host names.
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Outside::Warn)]
    pub(crate) outside: Outside,
    /// A name of a host that leads to the loopback of the run, as in `--host db --host cache`: each has its own
    /// address.
    #[arg(long = "host", value_name = "NAME", value_parser = host)]
    pub(crate) hosts: Vec<String>,
    /// Pins settings of every run, as in `after=1,weak=0,guard=0,latency=0` (drawn otherwise) or `heap=0,leaks=0` (1
    /// otherwise).
    #[arg(long, value_name = "KEY=VALUE,…", value_parser = settings)]
    pub(crate) settings: Option<String>,
}

/// The treatment of what is not simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Outside {
    /// The test uses the real resource.
    Allow,
    /// The test uses the real resource, and its line in the report names it.
    Warn,
    /// The test ends as `MISUSED`.
    Refuse,
}

impl Outside {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Outside::Allow => "allow",
            Outside::Warn => "warn",
            Outside::Refuse => "refuse",
        }
    }
}

/// cargo's flags of one kind of command, in the form that clap's derive needs.
#[derive(Clone, Debug)]
pub(crate) struct Flags<K> {
    pub(crate) given: CargoFlags,
    kind: std::marker::PhantomData<K>,
}

/// The kind of a command, as a type.
pub(crate) trait HasKind {
    const KIND: Kind;
}

macro_rules! kinds {
    ($( $name:ident = $kind:ident ),*) => {
        $(
            #[derive(Clone, Debug)]
            pub(crate) struct $name;
            impl HasKind for $name {
                const KIND: Kind = Kind::$kind;
            }
        )*
    };
}
kinds!(TestKind = Test, RunKind = Run, BuildKind = BuildOrCheck, TokenKind = Token);

impl<K: HasKind> FromArgMatches for Flags<K> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Flags<K>, clap::Error> {
        Ok(Flags { given: CargoFlags::read(matches, K::KIND), kind: std::marker::PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Flags::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<K: HasKind> Args for Flags<K> {
    fn augment_args(command: Command) -> Command {
        cargo_flags::add_to(command, K::KIND)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Flags::<K>::augment_args(command)
    }
}

/// The reason why a flag's value is invalid. clap adds the sentence around it, with the flag and the value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadValue {
    #[error("a seed is a number of 64 bits, decimal or hexadecimal with 0x")]
    NoSeed,
    #[error(
        "settings are `key=0` or `key=1`, separated by commas; the keys are after, weak, guard, heap, leaks and latency"
    )]
    NoSetting,
    #[error("a host has a name of letters, digits, `-`, `_` and `.`, and is not an address")]
    NoHost,
    #[error("{0}")]
    NoFaults(String),
    #[error("a plan names at least one fault, such as reset, all or reset@2.c.120")]
    EmptyPlan,
    #[error("{0}")]
    UnknownStrategy(#[from] UnknownStrategy),
}

/// A seed, decimal or hexadecimal.
pub(crate) fn seed(text: &str) -> Result<u64, BadValue> {
    let number = match text.strip_prefix("0x") {
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16),
        Some(_) => return Err(BadValue::NoSeed),
        None if text.starts_with('+') => return Err(BadValue::NoSeed),
        None => text.parse(),
    };
    number.map_err(|_| BadValue::NoSeed)
}

fn host(text: &str) -> Result<String, BadValue> {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_name = !text.is_empty() && text.bytes().all(is_of_name) && text.parse::<std::net::IpAddr>().is_err();
    if is_name { Ok(text.to_owned()) } else { Err(BadValue::NoHost) }
}

fn strategy(text: &str) -> Result<StrategyName, BadValue> {
    Ok(text.parse::<StrategyName>()?)
}

fn faults(text: &str) -> Result<String, BadValue> {
    let plan: FaultPlan = text.parse().map_err(BadValue::NoFaults)?;
    if plan.is_empty() { Err(BadValue::EmptyPlan) } else { Ok(text.to_owned()) }
}

fn settings(text: &str) -> Result<String, BadValue> {
    const KEYS: [&str; 6] = ["after", "weak", "guard", "heap", "leaks", "latency"];
    let is_setting =
        |part: &str| part.split_once('=').is_some_and(|(key, value)| KEYS.contains(&key) && matches!(value, "0" | "1"));
    if text.split(',').all(is_setting) { Ok(text.to_owned()) } else { Err(BadValue::NoSetting) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Exit, clap_answer};
    use clap::CommandFactory;

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        <Arguments as CommandFactory>::command().debug_assert();
    }

    fn parse(words: &[&str]) -> Result<Choice, clap::Error> {
        Arguments::try_parse_from([&["cargo-lastref"], words].concat()).map(|arguments| arguments.command)
    }

    #[test]
    fn flags_of_cargo_and_of_ours_mix_with_a_filter() {
        let words = ["test", "-p", "a", "--schedules", "7", "--lib", "some", "--for", "5s", "--", "--exact", "more"];
        let Ok(Choice::Test(test)) = parse(&words) else { panic!("these are arguments of `test`") };
        assert_eq!(test.cargo.given.arguments(), ["--lib", "--package", "a"]);
        assert_eq!((test.filter.as_deref(), test.search.schedules()), (Some("some"), 7));
        assert_eq!(
            (test.search.time, test.rest.as_slice()),
            (Some(Duration::from_secs(5)), &["--exact", "more"].map(String::from)[..])
        );
    }

    #[test]
    fn a_time_alone_has_no_bound_on_schedules() {
        for (words, schedules) in [(&["test"][..], 1_000), (&["test", "--for", "1s"], u64::MAX)] {
            let Ok(Choice::Test(test)) = parse(words) else { panic!("these are arguments of `test`") };
            assert_eq!(test.search.schedules(), schedules);
        }
    }

    #[test]
    fn a_binary_gets_its_arguments() {
        let Ok(Choice::Run(run)) = parse(&["run", "--release", "--", "--its-own", "x"]) else { panic!("it parses") };
        assert_eq!(run.rest, ["--its-own", "x"]);
    }

    #[track_caller]
    fn check(words: &[&str], said: &str) {
        let answer = clap_answer(&parse(words).unwrap_err());
        assert_eq!((answer.remarks.join("\n").as_str(), answer.exit), (said, Exit::Refused));
    }

    #[test]
    fn a_refusal_is_one_sentence_with_the_input_and_the_nearest_choice() {
        check(
            &["test", "--schedule", "3"],
            "cargo lastref: unexpected argument '--schedule' found; a similar argument exists: '--schedules'",
        );
        check(
            &["test", "--schedules", "0"],
            "cargo lastref: invalid value '0' for '--schedules <N>': the minimum is 1",
        );
        check(
            &["test", "--for", "20"],
            "cargo lastref: invalid value '20' for '--for <TIME>': a time is a number and its unit, such as 20s, 2m or \
             500ms",
        );
        check(
            &["test", "--strategy", "fifo"],
            &format!(
                "cargo lastref: invalid value 'fifo' for '--strategy <NAME>': `fifo` is not a strategy: one of {}",
                StrategyName::words()
            ),
        );
        check(
            &["test", "--seed", "x"],
            "cargo lastref: invalid value 'x' for '--seed <N>': a seed is a number of 64 bits, decimal or hexadecimal \
             with 0x",
        );
        check(
            &["test", "--settings", "after"],
            "cargo lastref: invalid value 'after' for '--settings <KEY=VALUE,…>': settings are `key=0` or `key=1`, \
             separated by commas; the keys are after, weak, guard, heap, leaks and latency",
        );
        check(
            &["test", "--host", "127.0.0.1"],
            "cargo lastref: invalid value '127.0.0.1' for '--host <NAME>': a host has a name of letters, digits, `-`, `_` \
             and `.`, and is not an address",
        );
        check(
            &["test", "--faults", "reset@1"],
            "cargo lastref: invalid value 'reset@1' for '--faults <PLAN>': `reset@1` is not of the form \
             KIND@CONNECTION.END.BYTES, as in reset@2.c.120",
        );
        check(
            &["test", "--faults", ","],
            "cargo lastref: invalid value ',' for '--faults <PLAN>': a plan names at least one fault, such as reset, all \
             or reset@2.c.120",
        );
        // A program runs once, outside the simulator, so flags of a search would have no effect.
        check(&["run", "--schedules", "3"], "cargo lastref: unexpected argument '--schedules' found");
        check(&["tst"], "cargo lastref: unrecognized subcommand 'tst'; a similar subcommand exists: 'test'");
        check(&["replay"], "cargo lastref: the following required arguments were not provided: <TOKEN>");
    }
}
