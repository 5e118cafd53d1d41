//! The result of a command: text for stdout, remarks for stderr, an exit code.
//!
//! It is printed in one place and only at the end. With `--json`, stdout therefore holds one JSON value or nothing, and
//! a reader that closes the pipe early causes no panic. Progress goes to stderr as it happens.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use lastref_cli::{Signal, one_sentence};

use crate::error::Error;

/// The exit of the process. If several apply, the last in this order counts: a finding stands, even if another test
/// could not be simulated or is not deterministic; no result of a harness that failed is trusted. A panic also ends the
/// process with 101.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// No finding, and no failed test.
    Clean,
    /// Bad usage or input, a crate that does not build, or a test that cannot be simulated.
    Refused,
    /// The same run gave two results.
    NotDeterministic,
    /// A finding, or a test that failed, died, hung or took too long.
    Finding,
    /// The harness failed: it has a bug.
    Broken,
    /// Ctrl-C ended a search.
    Interrupted,
    /// SIGTERM or SIGHUP ended a search.
    Terminated,
    /// The exit code of the program that `cargo lastref run`, `build` or `check` started.
    Passed(u8),
}

impl Exit {
    /// The exit code. After a signal it is 128 and the signal's number, as shells expect.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Clean => 0,
            Exit::Finding => 1,
            Exit::Refused => 2,
            Exit::NotDeterministic => 3,
            Exit::Broken => 101,
            Exit::Interrupted => Signal::Interrupt.code(),
            Exit::Terminated => Signal::Terminate.code(),
            Exit::Passed(code) => code,
        }
    }
}

impl From<Signal> for Exit {
    fn from(signal: Signal) -> Exit {
        match signal {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }
}

/// The exit codes, as shown by `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    clean: no finding, and no failed test
  1    a finding, or a test that failed, died, hung or took too long
  2    bad usage or input, a crate that does not build, or a test that cannot be simulated
  3    not deterministic: the same run gave two results
  101  a bug of the harness
  130  interrupted by Ctrl-C, 143 by SIGTERM or SIGHUP; the results so far are printed, unless a
       second signal arrives first
If several apply, the first of these counts: 130 or 143, 101, 1, 3, 2.";

/// The output and the exit code of a command.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// For stdout; empty, or complete lines.
    pub(crate) stdout: String,
    /// For stderr, one line each.
    pub(crate) remarks: Vec<String>,
    pub(crate) exit: Exit,
}

impl Answer {
    /// Text and an exit code, without remarks.
    pub(crate) fn new(stdout: String, exit: Exit) -> Answer {
        Answer { stdout, remarks: Vec::new(), exit }
    }

    /// One sentence that describes the error in the input.
    pub(crate) fn refusal(error: &Error) -> Answer {
        let exit = error.exit();
        Answer { stdout: String::new(), remarks: vec![one_line(&format!("cargo lastref: {error}"))], exit }
    }

    /// Prints the answer, and returns the exit code.
    ///
    /// A closed pipe is the reader's choice and changes nothing. Any other write error (a full disk) is reported on
    /// stderr and changes the exit code, since the reader does not have the answer.
    pub(crate) fn print(&self) -> ExitCode {
        let written = write_to(anstream::stdout(), &self.stdout);
        let mut stderr = io::stderr().lock();
        for remark in &self.remarks {
            // If stderr cannot be written, the error cannot be reported.
            let _ = writeln!(stderr, "{remark}");
        }
        match written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                let _ = writeln!(stderr, "cargo lastref: the answer cannot be written: {error}");
                let is_own = matches!(self.exit, Exit::Broken | Exit::Interrupted | Exit::Terminated);
                ExitCode::from(if is_own { self.exit } else { Exit::Refused }.code())
            }
            _ => ExitCode::from(self.exit.code()),
        }
    }
}

fn write_to(mut out: impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The text with its line breaks replaced by blanks.
pub(crate) fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Lines of clap that are left out. It suggests passing an unknown flag as a value, which the user rarely intends.
const NOISE: [&str; 2] = ["For more information", "tip: to pass"];

/// Flags of libtest, which people expect before `--`.
const OF_LIBTEST: [&str; 9] = [
    "--exact",
    "--skip",
    "--ignored",
    "--include-ignored",
    "--nocapture",
    "--no-capture",
    "--test-threads",
    "--list",
    "--show-output",
];

/// The answer if clap returns no arguments: help and version on stdout, or an error as one sentence.
pub(crate) fn clap_answer(error: &clap::Error) -> Answer {
    use clap::error::{ContextKind, ErrorKind as Kind};
    let text = error.render().to_string();
    match error.kind() {
        Kind::DisplayHelp | Kind::DisplayVersion => Answer::new(text, Exit::Clean),
        Kind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Answer { stdout: String::new(), remarks: vec![text], exit: Exit::Refused }
        }
        kind => {
            let mut sentence = one_sentence("cargo lastref", &text, &NOISE);
            let flag = error.get(ContextKind::InvalidArg).map(ToString::to_string);
            if kind == Kind::UnknownArgument && flag.is_some_and(|flag| OF_LIBTEST.contains(&flag.as_str())) {
                sentence.push_str(
                    "; a flag of the test harness belongs after `--`, as in `cargo lastref test -- --exact NAME`",
                );
            }
            Answer { stdout: String::new(), remarks: vec![sentence], exit: Exit::Refused }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_of_several_lines_is_one_line() {
        assert_eq!(one_line("a\n  b\n\nc"), "a b c");
    }

    #[test]
    fn a_finding_stands_beside_tests_that_differ_or_cannot_be_simulated() {
        let mut all = [
            Exit::Broken,
            Exit::Finding,
            Exit::Terminated,
            Exit::Clean,
            Exit::NotDeterministic,
            Exit::Interrupted,
            Exit::Refused,
        ];
        all.sort_unstable();
        assert_eq!(all.map(Exit::code), [0, 2, 3, 1, 101, 130, 143]);
    }
}
