//! The command line, end to end: the binary as a user runs it.
//!
//! These tests are in the package of the binary, since cargo builds a binary for the tests of its own package only.
//! They speak of scenarios by what the list says, not by name, so that a new scenario changes nothing here.

mod answers;
mod determinism;
mod documents;
mod edited;
mod refusals;
mod verdicts;

use std::path::Path;
use std::process::Output;

use assert_cmd::cargo::cargo_bin_cmd;
use lastref::scenario::Expect;
use scenarios::SCENARIOS;
use serde_json::Value;

/// What a command gave back.
struct Given {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Whether the variable of the environment is set.
#[expect(clippy::disallowed_methods, reason = "how much is tested may depend on the environment; no run sees it")]
fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some()
}

/// Runs `lastref` in `folder`, where it may save what it likes.
fn lastref_in(folder: &Path, arguments: &[&str]) -> Given {
    let output = cargo_bin_cmd!("lastref").current_dir(folder).args(arguments).output();
    given(output.expect("the binary runs"))
}

/// Runs `lastref` in a folder of its own.
fn lastref(arguments: &[&str]) -> Given {
    let folder = tempfile::tempdir().expect("a folder for scratch files");
    lastref_in(folder.path(), arguments)
}

fn given(output: Output) -> Given {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the answer is text");
    let code = output.status.code().expect("the process was not killed");
    Given { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Given {
    #[track_caller]
    fn code(self, code: i32) -> Given {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// The one JSON value on stdout, on one line.
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.stdout);
        serde_json::from_str(&self.stdout).expect("stdout is JSON")
    }

    /// The one sentence on stderr of a refusal, which has nothing on stdout.
    #[track_caller]
    fn refusal(self) -> String {
        let Given { code, stdout, stderr } = self;
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        stderr.trim_end().to_owned()
    }
}

/// The first scenario with a planted defect that the engine `fiber` finds, the defect, and the property that it breaks.
fn planted() -> (&'static str, &'static str, &'static str) {
    let all = SCENARIOS.all();
    let mut planted = all.iter().flat_map(|scenario| {
        scenario.expectations().into_iter().filter_map(|said| match said.expect {
            Expect::Clean => None,
            Expect::Violation { property } => Some((scenario.name(), said.variant, property)),
        })
    });
    planted.next().expect("some scenario has a planted defect")
}

/// The replay token of the planted defect.
fn planted_token() -> String {
    let (scenario, variant, _) = planted();
    let found = lastref(&["run", scenario, "--variant", variant, "--json"]).code(0).json();
    found["replay"].as_str().expect("a finding has a token").to_owned()
}
