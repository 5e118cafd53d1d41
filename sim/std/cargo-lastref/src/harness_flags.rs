//! The arguments after `--`: the flags of libtest, known from `cargo test`.
//!
//! Flags that choose tests are passed to the executables when they list their tests. Flags for the output or the number
//! of threads are read here, since each test has its own process. libtest's other flags are refused.

use clap::Parser;

/// Filters and flags of libtest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Parser)]
#[command(name = "--", no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
pub(crate) struct HarnessFlags {
    /// Names of tests, or parts of names.
    pub(crate) filters: Vec<String>,
    /// The filters are whole names.
    #[arg(long)]
    pub(crate) exact: bool,
    /// Leaves out the tests with this text in their name.
    #[arg(long, value_name = "FILTER")]
    pub(crate) skip: Vec<String>,
    /// Only tests with `#[ignore]`.
    #[arg(long, conflicts_with = "include_ignored")]
    pub(crate) ignored: bool,
    /// Tests with `#[ignore]` too.
    #[arg(long)]
    pub(crate) include_ignored: bool,
    /// Prints the output of every test.
    #[arg(long, alias = "no-capture")]
    pub(crate) nocapture: bool,
    /// Prints the names of the tests, but does not run them.
    #[arg(long)]
    pub(crate) list: bool,
    /// The number of tests at once.
    #[arg(long, value_name = "N", value_parser = lastref_cli::jobs)]
    pub(crate) test_threads: Option<usize>,
    /// A flag of libtest without effect here: the output of a failed test is always shown.
    #[arg(long, hide = true)]
    show_output: bool,
    /// A flag of libtest without effect here.
    #[arg(short, long, hide = true)]
    quiet: bool,
    /// A flag of libtest without effect here: `NO_COLOR` decides.
    #[arg(long, hide = true)]
    color: Option<String>,
}

impl HarnessFlags {
    /// The arguments that choose tests, for an executable.
    pub(crate) fn choice(&self) -> Vec<String> {
        let mut arguments = self.filters.clone();
        arguments.extend(self.exact.then(|| String::from("--exact")));
        arguments.extend(self.skip.iter().flat_map(|skip| [String::from("--skip"), skip.clone()]));
        arguments
    }

    /// The same for a command that does not list. It includes the ignored tests if the flags select them.
    pub(crate) fn choice_with_ignored(&self) -> Vec<String> {
        let mut arguments = self.choice();
        arguments.extend(self.ignored.then(|| String::from("--ignored")));
        arguments.extend(self.include_ignored.then(|| String::from("--include-ignored")));
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_of_libtest_are_read() {
        let flags = HarnessFlags::try_parse_from(["a::b", "--exact", "--skip", "c", "--skip=d", "--ignored"]).unwrap();
        assert_eq!(flags.choice(), ["a::b", "--exact", "--skip", "c", "--skip", "d"]);
        assert_eq!(flags.choice_with_ignored().last().unwrap(), "--ignored");
        let flags = HarnessFlags::try_parse_from(["--no-capture", "--test-threads=3", "-q"]).unwrap();
        assert!(flags.nocapture && flags.test_threads == Some(3));
    }

    #[test]
    fn others_are_refused() {
        for word in ["--format=json", "--shuffle", "--logfile=x", "--test-threads=0"] {
            assert!(HarnessFlags::try_parse_from([word]).is_err(), "{word}");
        }
    }
}
