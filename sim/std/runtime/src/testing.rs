//! Tests: the functions that `#[test]` calls under the stand-in.

use std::fmt;
use std::process::{ExitCode, Termination};

use crate::run::{self, is_simulated};
use crate::search;
use crate::settings::Config;

/// A test, to be run under many schedules.
pub(crate) struct Body {
    /// The name in libtest's list.
    pub(crate) name: String,
    pub(crate) code: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// The text that its panic must contain, if the test must panic.
    pub(crate) panics: Option<String>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Runs a test whose path is `path`, with the name of the crate first.
///
/// # Panics
/// If the search has a finding.
pub fn test<T: Termination + 'static>(path: &str, code: fn() -> T) {
    if is_simulated() {
        let _ = code();
        return;
    }
    search::test(body_of(path, code, None));
}

/// Runs a test that should panic with a text that contains `expected`.
///
/// # Panics
/// With the text of the test's panic, if it panicked in every schedule.
pub fn test_should_panic<T: Termination + 'static>(path: &str, code: fn() -> T, expected: &str) {
    if is_simulated() {
        let _ = code();
        return;
    }
    search::test(body_of(path, code, Some(expected.to_owned())));
}

fn body_of<T: Termination + 'static>(path: &str, code: fn() -> T, panics: Option<String>) -> Body {
    // libtest's names do not contain the crate's name.
    let name = path.split_once("::").map_or(path, |(_, name)| name).to_owned();
    Body { name, code: Box::new(move || result_of(code())), panics }
}

/// The result of a test as libtest judges it. The error is the text that std prints for it: `report` does not return
/// it.
fn result_of(returned: impl Termination) -> Result<(), String> {
    let Some(run) = run::current() else {
        let is_success = returned.report() == ExitCode::SUCCESS;
        return if is_success { Ok(()) } else { Err("the test returned an error".to_owned()) };
    };
    run.host(|| *run.printed.borrow_mut() = Some(Vec::new()));
    let code = returned.report();
    let printed = run.host(|| run.printed.borrow_mut().take()).unwrap_or_default();
    if code == ExitCode::SUCCESS {
        // Its memory is the host's.
        run.host(|| drop(printed));
        return Ok(());
    }
    run.host(|| {
        let printed = String::from_utf8_lossy(&printed);
        Err(match printed.trim() {
            "" => "the test returned an exit code other than that of success".to_owned(),
            text => format!("the test returned {text}"),
        })
    })
}

/// The result of [`explore`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explored {
    /// The kind of the finding; `None` if there is none.
    pub kind: Option<String>,
    /// Its text, with facts, seed and token.
    pub text: String,
    /// Its token.
    pub token: String,
    /// The hash of the trace of its run.
    pub trace_hash: u64,
    /// The number of runs.
    pub schedules: u64,
    /// The number of different schedules among them.
    pub distinct: u64,
    /// The report as JSON.
    pub json: String,
}

/// Runs `code` under many schedules, as [`test()`] does, and returns the result. `settings` are pairs of a variable of
/// the environment and its value, in place of the environment.
///
/// # Errors
/// If a value is malformed.
pub fn explore(
    name: &str,
    settings: &[(&str, &str)],
    code: impl Fn() + Send + Sync + 'static,
) -> Result<Explored, String> {
    let config = Config::of(settings)?;
    let code = Box::new(move || {
        code();
        Ok(())
    });
    Ok(search::explore(config, Body { name: name.to_owned(), code, panics: None }))
}

/// Runs `code` under as many schedules as the environment says.
///
/// # Panics
/// If the search has a finding.
pub fn check(code: impl Fn() + Send + Sync + 'static) {
    if is_simulated() {
        code();
        return;
    }
    let name = std::thread::current().name().unwrap_or("main").to_owned();
    let code = Box::new(move || {
        code();
        Ok(())
    });
    search::test(Body { name, code, panics: None });
}
