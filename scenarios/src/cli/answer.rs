//! What a command gives back: text for stdout, remarks for stderr, an exit code.
//!
//! Printed in one place and only at the end, which gives two guarantees: with `--json`, stdout holds one JSON value or
//! nothing; and a reader who closes the pipe early (`lastref list | head -1`) ends the program without a panic.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use super::error::Error;

/// How the process ends; where several apply, the last of these in their order. A panic ends it with 101 too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything is decided, and as the scenarios say.
    AsExpected,
    /// Some cells are undecided, and every other is as its scenario says.
    Undecided,
    /// A violation that is not expected, or an expected one that was not found, or a rare state that no run of a whole
    /// search reached, or a replay that violates.
    Finding,
    /// Bad usage or input.
    Refused,
    /// The same execution gave two results.
    NotDeterministic,
    /// The harness failed: a bug of it, or a process of loom that could not be started or died.
    Broken,
    /// Ctrl-C ended a search.
    Interrupted,
    /// SIGTERM ended a search.
    Terminated,
}

impl Exit {
    /// The exit code; of a signal it is what a shell expects of a process that the signal ended.
    pub fn code(self) -> u8 {
        match self {
            Exit::AsExpected => 0,
            Exit::Finding => 1,
            Exit::Refused => 2,
            Exit::NotDeterministic => 3,
            Exit::Undecided => 4,
            Exit::Broken => 101,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }
}

/// The exit codes, as `--help` says them.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0    everything is decided, and as expected
  1    a finding, or a verdict that is not as expected
  2    bad usage or input
  3    not deterministic: the same execution gave two results
  4    undecided cells are left
  101  a bug of the harness
  130  interrupted by Ctrl-C, 143 by SIGTERM; what is known so far is printed";

/// The whole effect of a command on the outside, files aside.
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

    /// One sentence that says what is wrong with the input.
    pub(super) fn refusal(error: &Error) -> Answer {
        Answer { stdout: String::new(), remarks: vec![one_line(&format!("lastref: {error}"))], exit: Exit::Refused }
    }

    /// An error that came after there was something to show: it is added, and decides the exit code unless something
    /// worse has happened.
    pub(super) fn and_refuse(&mut self, error: &Error) {
        self.remarks.push(one_line(&format!("lastref: {error}")));
        self.exit = self.exit.max(Exit::Refused);
    }

    /// Prints, and gives the exit code.
    ///
    /// A closed pipe is the reader's choice and changes nothing. Any other failure to write (a full disk) is said on
    /// stderr and refuses, since the reader does not have the answer.
    pub fn print(&self) -> ExitCode {
        let written = write_to(io::stdout().lock(), &self.stdout);
        let mut stderr = io::stderr().lock();
        for remark in &self.remarks {
            // Nobody is left to hear that stderr cannot be written.
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

/// The text with its control characters escaped: an input that is quoted in a sentence neither breaks the line nor
/// talks to the terminal.
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
