//! The result of a command: text for stdout, remarks for stderr, an exit code.
//!
//! It is printed in one place and only at the end, which gives two guarantees: with `--json`, stdout holds one JSON
//! value or nothing; and a reader that closes the pipe early (`lastref list | head -1`) causes no panic.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use lastref_cli::Signal;

use super::error::Error;

/// How the process ends; where several apply, the last one in this order. A panic ends the process with 101 too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Every cell is decided, and every verdict is as its scenario expects.
    AsExpected,
    /// Some cells are undecided; every other verdict is as its scenario expects.
    Undecided,
    /// An unexpected violation, or an expected one that was not found, or a rare state that no run of a complete
    /// search reached, or a replay that violates a property.
    Finding,
    /// Bad usage or input.
    Refused,
    /// The same execution gave two results.
    NotDeterministic,
    /// The harness failed: it has a bug, or a process of loom's could not be started or died.
    Broken,
    /// Ctrl-C ended a search.
    Interrupted,
    /// SIGTERM ended a search.
    Terminated,
}

impl Exit {
    /// The exit code; for a signal it is the one that shells expect of a process that the signal ended.
    pub fn code(self) -> u8 {
        match self {
            Exit::AsExpected => 0,
            Exit::Finding => 1,
            Exit::Refused => 2,
            Exit::NotDeterministic => 3,
            Exit::Undecided => 4,
            Exit::Broken => 101,
            Exit::Interrupted => Signal::Interrupt.code(),
            Exit::Terminated => Signal::Terminate.code(),
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

/// Commands to begin with, as shown by `--help`.
const EXAMPLES: &str = "\
Examples:
  lastref                                                every scenario, about two minutes
  lastref hunt --component image --for 5m --verbose      one component, for five minutes
  lastref run free_after_send --variant free_after_send_ok
                                                         one planted defect, in full
  lastref list --engine turmoil                          the scenarios on the network
  lastref replay TOKEN --full                            a finding, with every operation";

/// What `--help` says after the flags.
pub(super) fn help() -> String {
    format!("{EXAMPLES}\n\n{EXIT_CODES}")
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

/// The output and the exit code of a command, files aside.
#[derive(Clone, Debug)]
pub struct Answer {
    /// For stdout; empty, or complete lines.
    pub stdout: String,
    /// For stderr, one line each.
    pub remarks: Vec<String>,
    /// The exit code.
    pub exit: Exit,
}

impl Answer {
    /// Text and a verdict, without remarks.
    pub(super) fn new(stdout: String, exit: Exit) -> Answer {
        Answer { stdout, remarks: Vec::new(), exit }
    }

    /// One sentence that describes the error in the input.
    pub(super) fn refusal(error: &Error) -> Answer {
        Answer { stdout: String::new(), remarks: vec![one_line(&format!("lastref: {error}"))], exit: Exit::Refused }
    }

    /// Adds an error that came after there was a result to show. It decides the exit code
    /// unless a worse error has occurred.
    pub(super) fn and_refuse(&mut self, error: &Error) {
        self.remarks.push(one_line(&format!("lastref: {error}")));
        self.exit = self.exit.max(Exit::Refused);
    }

    /// Prints the answer, and returns the exit code.
    ///
    /// A closed pipe is the reader's choice and changes nothing. Any other write error (a full disk) is reported on
    /// stderr and changes the exit code, since the reader does not have the answer.
    pub fn print(&self) -> ExitCode {
        let written = write_to(io::stdout().lock(), &self.stdout);
        let mut stderr = io::stderr().lock();
        for remark in &self.remarks {
            // If stderr cannot be written, the error cannot be reported.
            let _ = writeln!(stderr, "{remark}");
        }
        match written {
            Ok(()) => ExitCode::from(self.exit.code()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::from(self.exit.code()),
            Err(error) => {
                let _ = writeln!(stderr, "lastref: cannot write the answer to stdout: {error}");
                ExitCode::from(Exit::Refused.code())
            }
        }
    }
}

/// Escapes the control characters of the text, so that a quoted input can neither break the
/// line nor control the terminal.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

fn write_to(mut stdout: impl Write, text: &str) -> io::Result<()> {
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_has_every_exit_code() {
        use Exit::{AsExpected, Broken, Finding, Interrupted, NotDeterministic, Refused, Terminated, Undecided};
        for exit in [AsExpected, Broken, Finding, Interrupted, NotDeterministic, Refused, Terminated, Undecided] {
            let code = exit.code().to_string();
            assert!(EXIT_CODES.split(|c: char| !c.is_ascii_digit()).any(|number| number == code), "{exit:?}: {code}");
        }
    }

    #[test]
    fn a_wrong_verdict_outweighs_an_undecided_one_and_a_signal_outweighs_both() {
        assert!(Exit::Interrupted > Exit::Finding && Exit::Finding > Exit::Undecided);
        assert!(Exit::Undecided > Exit::AsExpected);
    }
}
