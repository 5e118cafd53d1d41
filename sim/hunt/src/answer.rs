//! The result of a command: text for stdout, remarks for stderr, an exit code.
//!
//! It is printed in one place and only at the end, which gives two guarantees: with `--json`, stdout holds one JSON
//! value or nothing; and a reader that closes the pipe early (`… list | head -1`) causes no panic.

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

/// The output and the exit code of a command, files aside.
#[derive(Clone, Debug)]
pub struct Answer {
    /// For stdout; empty, or complete lines.
    pub stdout: String,
    /// For stderr, one line each.
    pub remarks: Vec<String>,
    /// The exit code.
    pub exit: Exit,
    /// The program's name, for an error in printing.
    pub(super) program: String,
}

impl Answer {
    /// Text and a verdict, without remarks.
    pub(super) fn new(stdout: String, exit: Exit) -> Answer {
        Answer { stdout, remarks: Vec::new(), exit, program: String::new() }
    }

    /// One sentence that describes the error in the input.
    pub(super) fn refusal(error: &Error) -> Answer {
        Answer { remarks: vec![one_line(&error.to_string())], ..Answer::new(String::new(), Exit::Refused) }
    }

    /// The answer of `program`: each remark begins with its name.
    pub(super) fn said_by(self, program: &str) -> Answer {
        let remarks = self.remarks.iter().map(|remark| format!("{program}: {remark}")).collect();
        Answer { remarks, program: program.to_owned(), ..self }
    }

    /// Adds an error that came after there was a result to show. It decides the exit code
    /// unless a worse error has occurred.
    pub(super) fn and_refuse(&mut self, error: &Error) {
        self.remarks.push(one_line(&error.to_string()));
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
                let _ = writeln!(stderr, "{}: cannot write the answer to stdout: {error}", self.program);
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
    fn a_wrong_verdict_outweighs_an_undecided_one_and_a_signal_outweighs_both() {
        assert!(Exit::Interrupted > Exit::Finding && Exit::Finding > Exit::Undecided);
        assert!(Exit::Undecided > Exit::AsExpected);
    }
}
