//! What a command gives back: text for stdout, remarks for stderr, an exit code.
//!
//! Printed in one place and only at the end, which gives two guarantees: with `--json`, stdout holds one JSON value or
//! nothing; and a reader who closes the pipe early (`lastref list | head -1`) ends the program without a panic.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use super::error::Error;

/// How the process ends. A panic ends it with 101 too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything is as the scenarios say.
    AsExpected = 0,
    /// A violation that is not expected, or an expected one that was not found, or a replay that violates.
    Finding = 1,
    /// Bad usage or input.
    Refused = 2,
    /// The same execution gave two results.
    NotDeterministic = 3,
    /// The harness failed: a bug of it, or a process of loom that could not be started or died.
    Broken = 101,
}

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
        Answer { stdout: String::new(), remarks: vec![format!("lastref: {error}")], exit: Exit::Refused }
    }

    /// An error that came after there was something to show: it is added, and decides the exit code.
    pub(super) fn and_refuse(&mut self, error: &Error) {
        self.remarks.push(format!("lastref: {error}"));
        self.exit = Exit::Refused;
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
            Ok(()) => ExitCode::from(self.exit as u8),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::from(self.exit as u8),
            Err(error) => {
                let _ = writeln!(stderr, "lastref: cannot write the answer to stdout: {error}");
                ExitCode::from(Exit::Refused as u8)
            }
        }
    }
}

fn write_to(mut stdout: impl Write, text: &str) -> io::Result<()> {
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
